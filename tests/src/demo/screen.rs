//! The live screen: the row of `kubectl get`, and under it what `broadside results` draws.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;

use super::Screen;
use super::stage::Stage;

const CAMPAIGN: &str = "-n shop get adcampaign cart-and-hero";

/// Shows the campaign until `kubectl wait --for=condition=Decided` returns.
///
/// # Errors
/// When that takes longer than `patience`.
pub(super) async fn until_decided(stage: &Stage, screen: Screen, patience: Duration) -> anyhow::Result<()> {
    let line = format!(
        "-n shop wait --for=condition=Decided adcampaign/cart-and-hero --timeout={}s",
        patience.as_secs()
    );
    let waited = stage.kubectl.run(&line);
    tokio::pin!(waited);
    let mut last = String::new();
    loop {
        tokio::select! {
            waited = &mut waited => return waited.map(drop).context("waiting for the verdict"),
            () = tokio::time::sleep(Duration::from_secs(1)) => draw(stage, screen, &mut last).await?,
        }
    }
}

async fn draw(stage: &Stage, screen: Screen, last: &mut String) -> anyhow::Result<()> {
    let row = stage.kubectl.run(CAMPAIGN).await?;
    match screen {
        Screen::Plain => {
            // The age alone is no news.
            let news: Vec<&str> = row.lines().nth(1).unwrap_or_default().split_whitespace().collect();
            let news = news.split_last().map(|(_, news)| news.join(" ")).unwrap_or_default();
            if news != *last {
                println!("{row}");
                *last = news;
            }
        }
        Screen::Live => {
            let results = stage.broadside.run("results -n shop cart-and-hero").await?;
            // Clears the screen and begins at its top.
            print!(
                "\x1b[2J\x1b[H$ kubectl -n shop get adcampaigns\n{row}\n{results}\none second stands for one minute\n"
            );
            std::io::stdout().flush().context("writing to the terminal")?;
        }
    }
    Ok(())
}
