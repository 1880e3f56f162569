{{/* What is wrong, each with a section in docs/runbooks.md. Counters of which a label's first value comes late are compared
with nothing too, since a rate does not see where they begin. */}}
{{- define "broadside.alerts" -}}
- alert: BroadsideGatewaysGone
  expr: absent(broadside_decide_refused_total)
  for: 2m
  severity: critical
  summary: No gateway is seen; pages show their own default.
- alert: BroadsideGatewayMissing
  expr: count(broadside_decide_refused_total) < {{ int .Values.gateway.replicas }}
  for: 10m
  severity: warning
  summary: Fewer gateways are seen than there are to be.
- alert: BroadsideTablesRefused
  expr: |-
    sum by (job, reason) (increase(broadside_tables_refused_total[15m])) > 0
      or sum by (job, reason) (broadside_tables_refused_total unless broadside_tables_refused_total offset 15m) > 0
  for: 0m
  severity: warning
  summary: A campaign's table was refused; what was served before is served on.
- alert: BroadsideTablesDiffer
  expr: max by (job) (broadside_tables) != min by (job) (broadside_tables)
  for: 10m
  severity: warning
  summary: Processes of one part know different campaigns, so the same person may see different copy.
- alert: BroadsideUnknownAsked
  expr: |-
    sum(rate(broadside_decisions_total{reason=~"UnknownCampaign|UnknownPlacement|UnknownSegment"}[30m]))
      / sum(rate(broadside_decisions_total[30m])) > 0.05
  for: 30m
  severity: warning
  summary: Applications ask about campaigns, placements or segments that there are not.
- alert: BroadsideTurnedAway
  expr: sum by (job, status) (rate(broadside_turned_away_total[10m])) > 1
  for: 15m
  severity: warning
  summary: Requests are turned away for want of a key, or since they come too often.
- alert: BroadsideNothingRecorded
  expr: |-
    sum(rate(broadside_decisions_total{reason="Assigned"}[30m])) > 0.1
      unless sum(rate(broadside_events_total{outcome="accepted"}[30m])) > 0
  for: 30m
  severity: critical
  summary: Copy is shown, and no event arrives; nothing is measured.
- alert: BroadsideEventsRefused
  expr: |-
    sum(rate(broadside_events_total{outcome=~"invalid|late|unknown"}[30m]))
      / sum(rate(broadside_events_total[30m])) > 0.05
  for: 30m
  severity: warning
  summary: More than one event in twenty does not count.
- alert: BroadsideDecisionsLost
  expr: sum(increase(broadside_decisions_told_total{outcome="Lost"}[15m])) > 0
  for: 15m
  severity: warning
  summary: Decisions that were to be recorded are lost.
- alert: BroadsideLedgerMissing
  expr: (count(broadside_ledger_full) or vector(0)) < {{ int .Values.ledger.parts }}
  for: 5m
  severity: critical
  summary: A ledger is not seen; what it counts stands still, and without a stream events are refused.
- alert: BroadsideLedgerFull
  expr: broadside_ledger_full == 1
  for: 1m
  severity: critical
  summary: A ledger's volume is full; it records nothing until there is room.
- alert: BroadsideLedgerFilling
  expr: (broadside_ledger_volume_free_bytes + broadside_ledger_log_kept_bytes) / broadside_ledger_volume_size_bytes < 0.1
  for: 15m
  severity: warning
  summary: A ledger's volume is nearly full.
- alert: BroadsideLedgerBehind
  expr: time() - broadside_ledger_until_timestamp_seconds > 120
  for: 10m
  severity: warning
  summary: A ledger is behind its stream; what it counts is of before.
- alert: BroadsideLedgerBusy
  expr: sum by (job, instance) (rate(broadside_events_busy_total[5m])) > 0
  for: 10m
  severity: warning
  summary: More events come than are taken; senders are told to come again.
- alert: BroadsideLedgerSlow
  expr: histogram_quantile(0.99, sum by (le, instance) (rate(broadside_ledger_commit_seconds_bucket[10m]))) > 0.5
  for: 15m
  severity: warning
  summary: A ledger's disk takes long, and so do the answers to events.
- alert: BroadsideExportsFail
  expr: sum by (instance) (increase(broadside_export_failures_total[15m])) > 0
  for: 30m
  severity: warning
  summary: An export by schedule fails again and again.
- alert: BroadsideCertificateEnds
  expr: min by (job) (broadside_tls_certificate_ends_timestamp_seconds) - time() < 7 * 24 * 3600
  for: 1h
  severity: warning
  summary: A certificate ends within a week; after that nobody takes an answer.
- alert: BroadsideNoOperatorActs
  expr: absent(broadside_operator_leading == 1)
  for: 5m
  severity: warning
  summary: No operator acts; no round closes, and nothing is decided.
- alert: BroadsideOperatorsDisagree
  expr: sum(broadside_operator_leading) > 1
  for: 5m
  severity: critical
  summary: More than one operator acts.
- alert: BroadsidePassesFail
  expr: |-
    sum(rate(broadside_operator_passes_total{outcome=~"ApiError|TimedOut"}[15m]))
      / sum(rate(broadside_operator_passes_total[15m])) > 0.1
  for: 15m
  severity: warning
  summary: The operator can't do what it wants to with the API server.
- alert: BroadsideCampaignStalled
  expr: max by (campaign_namespace, campaign, reason) (broadside_operator_campaign_stalled) > 0
  for: 15m
  severity: warning
  summary: A campaign waits for a person to mend it.
- alert: BroadsideNumbersStale
  expr: sum by (reason) (broadside_operator_campaign_conditions{condition="DataFresh",status="False"}) > 0
  for: 10m
  severity: warning
  summary: The operator can't use what the ledger counted; shares stay as they are, and nothing is decided.
{{- end }}
