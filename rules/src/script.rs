//! A video's script: how long its lines stand, and the files in which it is handed on.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use crate::{AdCopy, Format, Slot};

/// The shortest time that a line stands, five sixths of a second: below it an eye sees a flicker.
const SHORTEST: Duration = Duration::from_nanos(833_333_333);

/// How fast the lines of a script can be read, and how long they may take together.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Timing {
    /// The series whose slots are lines, in order.
    pub lines: String,
    /// The series whose slots say what is seen while the line of the same number stands.
    pub shots: String,
    /// How much can be read in a second, in units of the format's counting.
    pub units_per_second: usize,
    /// The most seconds of all lines.
    pub hard_limit: usize,
    /// Above this many seconds many no longer watch.
    pub soft_limit: usize,
}

/// A line of a script and when it stands. Lines follow each other without a gap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cue {
    /// From the beginning of the video.
    pub starts_at: Duration,
    /// From the beginning of the video.
    pub ends_at: Duration,
    /// What is said or read.
    pub text: String,
    /// What is seen, where the copy says it.
    pub shot: Option<String>,
}

/// The lines of a script with their times, in order. None where the format is no script.
///
/// A line stands as long as it takes to read, and never less than five sixths of a second.
#[must_use]
pub fn cues(format: &Format, copy: &AdCopy) -> Vec<Cue> {
    let Some(timing) = format.timing() else { return Vec::new() };
    let is_line = |slot: &&Slot| slot.series.as_ref().is_some_and(|series| series.name == timing.lines);
    let mut starts_at = Duration::ZERO;
    let mut cue = |slot: &Slot| {
        let text = copy.get(&slot.name)?.clone();
        let ends_at = starts_at + timing.duration(slot.count(&text));
        let shot = copy.get(&slot.name.replacen(&timing.lines, &timing.shots, 1)).cloned();
        let cue = Cue { starts_at, ends_at, text, shot };
        starts_at = ends_at;
        Some(cue)
    };
    format.slots().iter().filter(is_line).filter_map(&mut cue).collect()
}

impl Timing {
    /// The seconds of all lines, rounded up.
    pub(crate) fn seconds(&self, format: &Format, copy: &AdCopy) -> usize {
        let end = cues(format, copy).last().map_or(Duration::ZERO, |cue| cue.ends_at);
        usize::try_from(end.as_millis().div_ceil(1000)).unwrap_or(usize::MAX)
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.units_per_second > 0 && (1..=self.hard_limit).contains(&self.soft_limit)
    }

    fn duration(&self, units: usize) -> Duration {
        let milliseconds = units.saturating_mul(1000).div_ceil(self.units_per_second);
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX)).max(SHORTEST)
    }
}

/// The lines as subtitles: WebVTT, W3C Candidate Recommendation of 2019-04-04, section 4.
///
/// Text is escaped, and lines of a cue that are empty are left out, since one would end it.
///
/// ```
/// use std::collections::BTreeMap;
///
/// let format = rules::format("VideoScript").expect("a format of ours");
/// let copy = BTreeMap::from([("line1".to_owned(), "Light & warm.".to_owned())]);
/// let subtitles = rules::webvtt(&rules::cues(format, &copy));
/// assert_eq!(subtitles, "WEBVTT\n\n1\n00:00:00.000 --> 00:00:00.833\nLight &amp; warm.\n");
/// ```
#[must_use]
pub fn webvtt(cues: &[Cue]) -> String {
    let mut file = "WEBVTT\n".to_owned();
    for (number, cue) in (1..).zip(cues) {
        let (start, end) = (timestamp(cue.starts_at), timestamp(cue.ends_at));
        write!(file, "\n{number}\n{start} --> {end}\n").expect("a string takes all");
        for line in cue.text.lines().filter(|line| !line.trim().is_empty()) {
            file.push_str(&escaped(line));
            file.push('\n');
        }
    }
    file
}

/// The shots for those who make the video: what is seen and what is said, with times, as plain text.
#[must_use]
pub fn shot_list(cues: &[Cue]) -> String {
    let mut list = String::new();
    for (number, cue) in (1..).zip(cues) {
        let (start, end) = (timestamp(cue.starts_at), timestamp(cue.ends_at));
        let seconds = (cue.ends_at - cue.starts_at).as_secs_f64();
        let seen = cue.shot.as_deref().unwrap_or("–").replace('\n', " / ");
        let said = cue.text.replace('\n', " / ");
        writeln!(list, "{number}. {start} to {end} ({seconds:.1} s)\n   Seen: {seen}\n   Said: {said}")
            .expect("a string takes all");
    }
    list
}

fn timestamp(time: Duration) -> String {
    let (seconds, milliseconds) = (time.as_secs(), time.subsec_millis());
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{milliseconds:03}", seconds % 60)
}

fn escaped(line: &str) -> String {
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(slots: &[(&str, &str)]) -> Vec<Cue> {
        let copy = slots.iter().map(|(slot, text)| ((*slot).to_owned(), (*text).to_owned())).collect();
        cues(crate::format("VideoScript").expect("a format of ours"), &copy)
    }

    #[test]
    fn lines_follow_each_other_and_stand_as_long_as_they_are_read() {
        let cues = script(&[
            ("line1", "A shoe for every trail, light and warm."),
            ("line2", "轻盈跑鞋越野无忧"),
            ("line3", "Run."),
            ("shot2", "A trail in the fog."),
        ]);
        let ends: Vec<u128> = cues.iter().map(|cue| cue.ends_at.as_millis()).collect();
        // 39 characters at 17 a second; eight wide ones count sixteen; the shortest time.
        assert_eq!(ends, [2295, 3237, 4070]);
        assert_eq!(cues[1].starts_at, cues[0].ends_at);
        assert_eq!(cues[1].shot.as_deref(), Some("A trail in the fog."));
    }

    #[test]
    fn a_text_cannot_break_out_of_its_cue() {
        let file = webvtt(&script(&[("line1", "a\n\n00:00 --> 00:09\n<b>&")]));
        assert_eq!(
            file,
            "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.353\na\n00:00 --&gt; 00:09\n&lt;b&gt;&amp;\n"
        );
    }

    #[test]
    fn a_shot_list_says_what_is_seen_and_said() {
        let list =
            shot_list(&script(&[("line1", "Light\nand warm."), ("shot1", "A trail."), ("line2", "Run.")]));
        let expected = "1. 00:00:00.000 to 00:00:00.883 (0.9 s)\n   Seen: A trail.\n   Said: Light / and warm.\n\
                        2. 00:00:00.883 to 00:00:01.716 (0.8 s)\n   Seen: –\n   Said: Run.\n";
        assert_eq!(list, expected);
    }

    #[test]
    fn hours_are_written_out() {
        assert_eq!(timestamp(Duration::from_millis(3_723_004)), "01:02:03.004");
    }

    #[test]
    fn what_is_no_script_has_no_cues() {
        let copy = AdCopy::from([("line1".to_owned(), "Run.".to_owned())]);
        assert!(cues(crate::format("WebBanner").expect("a format of ours"), &copy).is_empty());
    }
}
