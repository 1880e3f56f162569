//! Programs that say what they are: crawlers, previews of links, monitors, and browsers that nobody sits at.
//!
//! Most of them execute scripts and would be counted as people who never act. Those that lie about themselves can't be
//! told here; neither are the libraries by which servers ask for their visitors, such as `python-requests`.

use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

/// Whether a user agent says that it is a program.
pub(super) fn is_crawler(user_agent: &[u8]) -> bool {
    // What is longer is no name any more, and is not read for its own sake.
    CRAWLERS.is_match(&user_agent[..user_agent.len().min(LONGEST)])
}

/// How many bytes of a user agent are looked at. Those of browsers within applications reach four hundred.
const LONGEST: usize = 1024;

static CRAWLERS: LazyLock<RegexSet> = LazyLock::new(|| {
    let lines = include_str!("crawlers.txt").lines().filter(|line| !line.starts_with('#'));
    RegexSetBuilder::new(lines)
        .case_insensitive(true)
        .unicode(false)
        .build()
        .expect("the list is ours, and tested")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crawler_is_told_by_its_name_and_nobody_else_is() {
        let check = |expected: bool, user_agent: &str| {
            assert_eq!(is_crawler(user_agent.as_bytes()), expected, "{user_agent}");
        };
        check(true, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
        check(true, "AdsBot-Google (+http://www.google.com/adsbot.html)");
        check(true, "Mediapartners-Google");
        check(true, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)");
        check(true, "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)");
        check(true, "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)");
        check(true, "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)");
        check(true, "WhatsApp/2.23.20.0 A");
        check(true, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)");
        check(
            true,
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        );
        check(true, "Mozilla/5.0 (compatible; ChatGPT-User/1.0; +https://openai.com/bot)");
        check(
            true,
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
        );
        check(
            true,
            "Mozilla/5.0 (Linux; Android 11) AppleWebKit/537.36 Chrome/119.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse",
        );
        check(true, "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)");
        check(true, "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)");
        check(true, "Mozilla/5.0 (compatible; DataForSeoBot)");

        check(false, "");
        check(
            false,
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        );
        check(
            false,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
        );
        check(false, "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0");
        check(
            false,
            "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile Safari/537.36",
        );
        check(
            false,
            "Mozilla/5.0 (Linux; Android 12; CUBOT) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile Safari/537.36",
        );
        check(
            false,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/470.0.0.36.99;FBDV/iPhone14,5]",
        );
        check(false, "node");
        check(false, "python-requests/2.32.3");
        check(false, "Go-http-client/1.1");
        check(false, "okhttp/4.12.0");
        check(
            false,
            "Mozilla/5.0 (Linux; Android 13; Robotics Tablet) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
        );
    }

    #[test]
    fn what_is_far_behind_is_not_read() {
        let far = format!("{}Googlebot", " ".repeat(LONGEST));
        assert!(!is_crawler(far.as_bytes()) && is_crawler(far.trim().as_bytes()));
    }
}
