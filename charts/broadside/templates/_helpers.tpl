{{/* Every object of a release is named `<release>-<part>`; the longest part still fits in a label. */}}
{{- define "broadside.name" -}}
{{ .root.Release.Name | trunc 50 | trimSuffix "-" }}-{{ .part }}
{{- end }}

{{/* What selects a part's pods: these may never change. */}}
{{- define "broadside.selector" -}}
app.kubernetes.io/name: broadside
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "broadside.labels" -}}
{{ include "broadside.selector" . }}
app.kubernetes.io/part-of: broadside
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Whether the release has what lies in namespaces, and what is cluster-scoped: a text, or none. */}}
{{- define "broadside.namespaced" -}}
{{- if ne .Values.scope.objects "ClusterScoped" }}true{{ end }}
{{- end }}
{{- define "broadside.clusterScoped" -}}
{{- if ne .Values.scope.objects "Namespaced" }}true{{ end }}
{{- end }}

{{/* A part's rules wherever campaigns are: in each namespace of `scope.namespaces`, or else in the whole cluster. */}}
{{- define "broadside.role" -}}
{{- if .root.Values.scope.namespaces }}
{{- if include "broadside.namespaced" .root }}
{{- range $namespace := .root.Values.scope.namespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "broadside.name" $ }}
  namespace: {{ $namespace }}
  labels:
    {{- include "broadside.labels" $ | nindent 4 }}
rules:
  {{- $.rules | nindent 2 }}
{{- end }}
{{- end }}
{{- else if include "broadside.clusterScoped" .root }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ include "broadside.name" . }}
  labels:
    {{- include "broadside.labels" . | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
{{- end }}
{{- end }}

{{/* Gives the role of the part `role` to the account of the part `account`, wherever campaigns are. */}}
{{- define "broadside.binding" -}}
{{- if .root.Values.scope.namespaces }}
{{- if include "broadside.namespaced" .root }}
{{- range $namespace := .root.Values.scope.namespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "broadside.name" $ }}
  namespace: {{ $namespace }}
  labels:
    {{- include "broadside.labels" $ | nindent 4 }}
{{ include "broadside.given" (merge (dict "kind" "Role") $) }}
{{- end }}
{{- end }}
{{- else if include "broadside.clusterScoped" .root }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ include "broadside.name" . }}
  labels:
    {{- include "broadside.labels" . | nindent 4 }}
{{ include "broadside.given" (merge (dict "kind" "ClusterRole") .) }}
{{- end }}
{{- end }}
{{- define "broadside.given" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ include "broadside.name" (dict "root" .root "part" .role) }}
subjects:
  - kind: ServiceAccount
    name: {{ include "broadside.name" (dict "root" .root "part" .account) }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "broadside.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The operator as the API server knows it. The admission policies name it. */}}
{{- define "broadside.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "broadside.name" (dict "root" . "part" "operator") }}
{{- end }}

{{/* What reviews are held to: the policy and its binding, which the operator looks for. */}}
{{- define "broadside.reviewPolicy" -}}
{{ include "broadside.name" (dict "root" . "part" "reviews") }}.broadside.dev
{{- end }}

{{/* Labels and annotations of a part's pods, those of its values too. The schema refuses values that would replace ours. */}}
{{- define "broadside.podMetadata" -}}
labels:
  {{- include "broadside.labels" . | nindent 2 }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: {{ .part }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What the "restricted" level of Pod Security asks of a pod and of a container, and a read-only root besides. */}}
{{- define "broadside.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "broadside.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Its context is the Secret of the part's certificate, empty where there is none. */}}
{{- define "broadside.probes" -}}
# A process that hangs is started anew; one that is not ready gets no traffic.
livenessProbe:
  httpGet: {path: /healthz, port: http{{ if . }}, scheme: HTTPS{{ end }}}
  periodSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http{{ if . }}, scheme: HTTPS{{ end }}}
  periodSeconds: 2
  failureThreshold: 2
startupProbe:
  httpGet: {path: /healthz, port: http{{ if . }}, scheme: HTTPS{{ end }}}
  periodSeconds: 1
  failureThreshold: 60
{{- end }}

{{/* The key that signs tokens. The pod waits until the operator has made it. */}}
{{- define "broadside.keyVolume" -}}
name: key
secret:
  secretName: {{ include "broadside.name" (dict "root" . "part" "key") }}
  defaultMode: 0440
{{- end }}
{{- define "broadside.keyMount" -}}
{name: key, mountPath: /var/run/broadside/key, readOnly: true}
{{- end }}

{{/* What both roles of the gateway are told about who may ask. */}}
{{- define "broadside.accessArgs" -}}
{{- if .Values.gateway.apiKeySecrets }}
- --api-keys=/var/run/broadside/api-keys
{{- end }}
{{- if .Values.gateway.rateLimit }}
{{- if not .Values.gateway.apiKeySecrets }}
{{- fail "gateway.rateLimit counts by key: name the keys in gateway.apiKeySecrets too" }}
{{- end }}
- --rate-limit={{ int64 .Values.gateway.rateLimit }}
{{- end }}
{{- end }}
{{- define "broadside.accessMounts" -}}
{{- if .Values.gateway.apiKeySecrets }}
- {name: api-keys, mountPath: /var/run/broadside/api-keys, readOnly: true}
{{- end }}
{{- end }}
{{- define "broadside.accessVolumes" -}}
{{- with .Values.gateway.apiKeySecrets }}
- name: api-keys
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret: {name: {{ . }}}
      {{- end }}
{{- end }}
{{- end }}

{{/* What the ledger keeps and exports. */}}
{{- define "broadside.exportArgs" -}}
{{- with .Values.ledger.keepLog }}
- --keep-log={{ . }}
{{- end }}
{{- with .Values.ledger.keepLogSize }}
{{- if not $.Values.ledger.keepLog }}
{{- fail "ledger.keepLogSize bounds what ledger.keepLog keeps: set that too, such as 30d" }}
{{- end }}
- --keep-log-size={{ . }}
{{- end }}
{{- $export := .Values.ledger.export }}
{{- if $export.every }}
{{- if not .Values.ledger.keepLog }}
{{- fail "ledger.export.every needs ledger.keepLog: longer than the period and the longest window together, such as 30d" }}
{{- end }}
{{- if not $export.existingClaim }}
{{- fail "ledger.export.every writes files for somebody to take away: name a claim for them in ledger.export.existingClaim" }}
{{- end }}
- --export-every={{ $export.every }}
- --export-format={{ $export.format }}
- --export-dir=/var/lib/broadside-exports{{ if gt (int .Values.ledger.parts) 1 }}/$(BROADSIDE_LEDGER_NUMBER){{ end }}
{{- end }}
{{- end }}

{{/* A part's certificate. Their context is the name of its Secret, empty where there is none. */}}
{{- define "broadside.tlsArgs" -}}
{{- if . }}
- --tls-cert=/var/run/broadside/tls/tls.crt
- --tls-key=/var/run/broadside/tls/tls.key
{{- end }}
{{- end }}
{{- define "broadside.tlsMount" -}}
{{- if . }}
- {name: tls, mountPath: /var/run/broadside/tls, readOnly: true}
{{- end }}
{{- end }}
{{- define "broadside.tlsVolume" -}}
{{- with . }}
- name: tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- define "broadside.scheme" -}}
{{ if . }}https{{ else }}http{{ end }}
{{- end }}

{{/* What applications and the browsers of readers ask, and who answers: never totals, erasures or metrics. With a stream every
gateway takes events too, and there are more of them than of ledgers. */}}
{{- define "broadside.publicPaths" -}}
{{- $recorder := ternary "gateway" "ledger" (not (empty .Values.nats.url)) }}
- {path: /v1/decide, type: Exact, part: gateway}
- {path: /ofrep/v1/evaluate/flags, type: Prefix, part: gateway}
- {path: /v1/events, type: Exact, part: {{ $recorder }}}
- {path: /v1/r, type: Prefix, part: {{ $recorder }}}
{{- end }}
{{- define "broadside.port" -}}
{{ get (dict "gateway" "8080" "ledger" "8081" "operator" "8080") . }}
{{- end }}

{{/* Where the operator asks for totals: each part of several by the name of its pod. */}}
{{- define "broadside.ledgerUrls" -}}
{{- $scheme := include "broadside.scheme" .Values.ledger.tlsSecret }}
{{- $ledger := include "broadside.name" (dict "root" . "part" "ledger") }}
{{- $parts := include "broadside.name" (dict "root" . "part" "ledger-parts") }}
{{- if eq (int .Values.ledger.parts) 1 -}}
{{ $scheme }}://{{ $ledger }}.{{ .Release.Namespace }}.svc:8081
{{- else -}}
{{- range $number := until (int .Values.ledger.parts) -}}
{{ if $number }},{{ end }}{{ $scheme }}://{{ $ledger }}-{{ $number }}.{{ $parts }}.{{ $.Release.Namespace }}.svc:8081
{{- end }}
{{- end }}
{{- end }}

{{- define "broadside.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What a NetworkPolicy lets out: to where `to` says, or everywhere, on these ports. */}}
{{- define "broadside.egressRule" -}}
{{- $protocols := .protocols | default (list "TCP") }}
- ports:
    {{- range $port := .ports }}
    {{- range $protocol := $protocols }}
    - {port: {{ int $port }}, protocol: {{ $protocol }}}
    {{- end }}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* What a NetworkPolicy lets in: from where `from` says, or from everywhere, on this port. */}}
{{- define "broadside.ingressRule" -}}
- ports:
    - {port: {{ .port }}, protocol: TCP}
  {{- with .from }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Who reaches gateway and ledger alike: applications, and `helm test` as one of them. One port serves applications and
metrics, so metrics open it to nobody else. */}}
{{- define "broadside.commonIngress" -}}
{{- $from := .root.Values.networkPolicy.applications.from }}
{{- if $from }}
{{- $probe := include "broadside.selector" (dict "root" .root "part" "probe") | fromYaml }}
{{- $from = append $from (dict "podSelector" (dict "matchLabels" $probe)) }}
{{- end }}
{{- include "broadside.ingressRule" (dict "from" $from "port" .port) }}
{{- with .root.Values.networkPolicy.monitoring.from }}
{{ include "broadside.ingressRule" (dict "from" . "port" $.port) }}
{{- end }}
{{- end }}

{{/* What every process of ours asks: names, and the API server. */}}
{{- define "broadside.commonEgress" -}}
{{- with .Values.networkPolicy }}
{{- include "broadside.egressRule" (dict "to" .dns.to "ports" .dns.ports "protocols" (list "UDP" "TCP")) }}
{{- include "broadside.egressRule" (dict "to" .apiServer.to "ports" .apiServer.ports) }}
{{- end }}
{{- end }}

{{/* The servers of the stream, where there is one: on the ports of its address, unless others are named. */}}
{{- define "broadside.natsEgress" -}}
{{- if .Values.nats.url }}
{{- $ports := .Values.networkPolicy.nats.ports }}
{{- if not $ports }}
{{- range $server := splitList "," .Values.nats.url }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" (trimSuffix "/" (trim $server))) | default "4222" }}
{{- $ports = append $ports $port | uniq }}
{{- end }}
{{- end }}
{{- include "broadside.egressRule" (dict "to" .Values.networkPolicy.nats.to "ports" $ports) }}
{{- end }}
{{- end }}

{{/* The flags of the stream of events, for gateway and ledger alike. */}}
{{- define "broadside.natsArgs" -}}
{{- with .Values.nats }}
{{- if .url }}
- {{ printf "--nats=%s" .url | quote }}
- {{ printf "--nats-stream=%s" .stream | quote }}
- {{ printf "--nats-replicas=%d" (int .replicas) | quote }}
{{- if .credentialsSecret }}
- --nats-credentials=/var/run/broadside/nats/credentials
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "broadside.natsMount" -}}
{{- if and .Values.nats.url .Values.nats.credentialsSecret }}
- {name: nats, mountPath: /var/run/broadside/nats, readOnly: true}
{{- end }}
{{- end }}

{{- define "broadside.natsVolume" -}}
{{- if and .Values.nats.url .Values.nats.credentialsSecret }}
- name: nats
  secret: {secretName: {{ .Values.nats.credentialsSecret | quote }}}
{{- end }}
{{- end }}
