use super::Editorial::{
    AlternatingCapitals, ClickHere, CostlyCharacter, DecorativeSymbols, Emoji, ExclamationInHeadline,
    ExtraSpace, FinalPunctuation, HalfWidthKatakana, LetterStandIn, LongLine, ManyExclamations, MissingSpace,
    PhoneNumber, RepeatedPunctuation, RepeatedWord, ShoutingCapitals, SpacedLetters, StrayAsterisk,
};
use super::*;

/// Checks that hold for some slots or channels only, which most rows do not speak of.
const SPECIAL: [Editorial; 4] = [ExclamationInHeadline, FinalPunctuation, LongLine, CostlyCharacter];

/// Sentence, text, and every check but the special ones that finds something in it.
type Row = (&'static str, &'static str, &'static [Editorial]);

const BAD: &[Row] = &[
    ("two-exclamation-marks-are-repeated", "Flowers!!", &[RepeatedPunctuation, ManyExclamations]),
    ("a-question-with-an-exclamation-mark-is-repeated", "Schon gehört?!", &[RepeatedPunctuation]),
    ("full-width-marks-are-repeated", "立即购买！！", &[RepeatedPunctuation, ManyExclamations]),
    ("two-dots-are-repeated", "Wait..", &[RepeatedPunctuation]),
    ("four-dots-are-repeated", "Wait....", &[RepeatedPunctuation]),
    ("currencies-are-repeated", "Save $$$ today", &[RepeatedPunctuation]),
    ("full-stops-of-chinese-are-repeated", "轻盈。。舒适", &[RepeatedPunctuation]),
    ("two-sentences-may-not-both-shout", "New! Try it now!", &[ManyExclamations]),
    ("an-everyday-word-in-capitals-shouts", "Get FREE shipping", &[ShoutingCapitals]),
    ("two-everyday-words-in-capitals-shout", "BUY NOW and relax", &[ShoutingCapitals]),
    ("german-shouts-too", "Jetzt GRATIS testen", &[ShoutingCapitals]),
    ("german-phrases-shout-too", "KOSTENLOSER VERSAND", &[ShoutingCapitals]),
    ("german-umlauts-shout-too", "Besonders GÜNSTIG", &[ShoutingCapitals]),
    ("spanish-shouts-too", "ENVÍO rápido", &[ShoutingCapitals]),
    ("full-width-capitals-shout-too", "ＳＡＬＥ开始了", &[ShoutingCapitals]),
    ("a-text-in-capitals-shouts", "RUN FASTER THAN EVERYBODY", &[ShoutingCapitals]),
    ("an-everyday-word-beside-chinese-shouts", "全场SALE进行中", &[ShoutingCapitals]),
    ("alternating-capitals-are-seen", "FlOwErS for you", &[AlternatingCapitals]),
    ("shorter-alternation-is-seen", "FrEe ShIpPiNg", &[AlternatingCapitals]),
    ("letters-between-dots-are-seen", "F.L.O.W.E.R.S for you", &[SpacedLetters]),
    ("letters-between-spaces-are-seen", "Buy f l o w e r s here", &[SpacedLetters]),
    ("letters-between-hyphens-are-seen", "Blumen: B-L-U-M-E-N", &[SpacedLetters]),
    ("a-digit-for-a-letter-is-seen", "Fresh fl0wers", &[LetterStandIn]),
    ("a-sign-for-a-letter-is-seen", "Fresh fl@wers, big s@le", &[LetterStandIn]),
    ("a-currency-for-a-letter-is-seen", "Now fr€€", &[RepeatedPunctuation, LetterStandIn]),
    ("a-currency-at-the-beginning-is-seen", "$ale on shoes", &[LetterStandIn]),
    ("german-stand-ins-are-seen", "Alles gr4tis", &[LetterStandIn]),
    ("an-american-number-is-a-telephone", "Call (555) 123-4567", &[PhoneNumber]),
    ("an-american-number-with-dots-is-a-telephone", "Order at 555.123.4567", &[PhoneNumber]),
    ("a-toll-free-number-is-a-telephone", "1-800-555-0199 day and night", &[PhoneNumber]),
    ("a-vanity-number-is-a-telephone", "Dial 1-800-FLOWERS", &[PhoneNumber]),
    ("an-international-number-is-a-telephone", "Fragen? +49 30 1234567", &[PhoneNumber]),
    ("an-international-number-without-spaces-is-a-telephone", "Fragen? +491701234567", &[PhoneNumber]),
    ("a-german-number-is-a-telephone", "Anruf genügt: 030 / 123 45 67", &[PhoneNumber]),
    ("a-german-hotline-is-a-telephone", "Hotline 0800 12 34 56", &[PhoneNumber]),
    ("a-german-mobile-number-is-a-telephone", "Jetzt melden: 0170/1234567", &[PhoneNumber]),
    ("a-french-number-is-a-telephone", "Appelez le 01 23 45 67 89", &[PhoneNumber]),
    ("a-chinese-mobile-number-is-a-telephone", "咨询13812345678", &[PhoneNumber]),
    ("a-chinese-mobile-number-in-groups-is-a-telephone", "微信 138 1234 5678", &[PhoneNumber]),
    ("a-chinese-hotline-is-a-telephone", "拨打400-820-8820", &[PhoneNumber]),
    ("another-chinese-hotline-is-a-telephone", "服务热线：400 8208 820", &[PhoneNumber]),
    ("a-chinese-landline-is-a-telephone", "请致电010-12345678", &[PhoneNumber]),
    ("a-short-number-to-call-is-a-telephone", "Call 555123 now", &[PhoneNumber]),
    ("click-here-fits-any-ad", "Click here for shoes", &[ClickHere]),
    ("click-here-in-capitals-fits-any-ad", "Shoes? Click\u{A0}HERE", &[ShoutingCapitals, ClickHere]),
    ("german-click-here-fits-any-ad", "Für Schuhe hier klicken", &[ClickHere]),
    ("polite-german-click-here-fits-any-ad", "Klicken Sie hier", &[ClickHere]),
    ("chinese-click-here-fits-any-ad", "跑鞋优惠，点击这里", &[ClickHere]),
    ("stars-decorate", "★ Top shoes ★", &[DecorativeSymbols]),
    ("bullets-decorate", "• Light • Warm", &[DecorativeSymbols]),
    ("check-marks-decorate", "✓ Rückgabe in 60 Tagen", &[DecorativeSymbols]),
    ("arrows-decorate", "Zum Shop →", &[DecorativeSymbols]),
    ("drawn-arrows-decorate", "To the shop ->", &[DecorativeSymbols]),
    ("angle-brackets-decorate", "To the shop >>", &[DecorativeSymbols]),
    ("digits-in-circles-decorate", "①轻盈②舒适", &[DecorativeSymbols]),
    ("black-brackets-of-shapes-decorate", "■新品■", &[DecorativeSymbols]),
    ("letters-of-mathematics-decorate", "𝐅𝐚𝐬𝐭 shoes", &[DecorativeSymbols]),
    ("a-plain-emoji-is-an-emoji", "Hot shoes 🔥", &[Emoji]),
    ("an-old-sign-in-color-is-an-emoji", "We ❤\u{FE0F} trails", &[Emoji]),
    ("a-star-that-is-an-emoji-is-one", "Top ⭐ shoes", &[Emoji]),
    ("a-keycap-is-an-emoji", "Nummer 1\u{FE0F}\u{20E3}", &[Emoji]),
    ("a-flag-is-an-emoji", "中国制造🇨🇳", &[Emoji]),
    ("half-width-katakana-is-seen", "ｽﾆｰｶｰ 新作", &[HalfWidthKatakana]),
    ("asterisks-around-a-word-are-stray", "Our *new* shoes", &[StrayAsterisk]),
    ("asterisks-around-the-first-word-are-stray", "*flowers* for you", &[StrayAsterisk]),
    ("an-asterisk-in-a-word-is-stray", "Sch*he für alle", &[StrayAsterisk]),
    ("three-times-the-same-word-is-seen", "Buy flowers-flowers-flowers", &[RepeatedWord]),
    ("three-times-in-german-is-seen", "Neu, neu, NEU", &[ShoutingCapitals, RepeatedWord]),
    ("three-times-in-chinese-is-seen", "跑鞋跑鞋跑鞋特价", &[RepeatedWord]),
    ("a-comma-wants-a-space", "Sale,buy flowers", &[MissingSpace]),
    ("a-question-mark-wants-a-space", "Müde?Neue Schuhe", &[MissingSpace]),
    ("two-spaces-are-one-too-many", "Light  shoes", &[ExtraSpace]),
    ("a-space-before-a-comma-is-too-many", "Light , warm", &[ExtraSpace]),
    ("a-space-before-a-full-stop-is-too-many", "Leicht und warm .", &[ExtraSpace]),
    ("a-space-at-the-end-is-too-many", "Light shoes ", &[ExtraSpace]),
    ("a-space-at-the-beginning-is-too-many", " 轻盈跑鞋", &[ExtraSpace]),
];

const GOOD: &[(&str, &str)] = &[
    ("plain-english", "Light shoes for long trails. Try them at home!"),
    ("plain-german", "Leichte Schuhe für lange Wege, 60 Tage Rückgabe."),
    ("plain-chinese", "轻盈跑鞋，越野无忧。六十天免费退货！"),
    ("an-ellipsis-is-one-mark", "And then... the trail"),
    ("a-typographic-ellipsis-is-one-mark", "Und dann … der Berg"),
    ("a-chinese-ellipsis-is-one-mark", "还有更多……"),
    ("a-chinese-dash-is-one-mark", "越野——从这里开始"),
    ("full-stops-of-abbreviations-are-single", "Schuhe, Jacken usw., z. B. Aero"),
    ("languages-with-signs-are-names", "Learn C++, C# and F#"),
    ("two-hyphens-are-a-dash", "Light -- and warm"),
    ("acronyms-do-not-shout", "NASA, UNESCO and the EU use USB-C and HDMI"),
    ("german-acronyms-do-not-shout", "ADAC, TÜV und DHL: GmbH & Co. KG"),
    ("acronyms-in-chinese-do-not-shout", "使用AI技术的VIP会员APP"),
    ("names-in-capitals-do-not-shout", "IKEA, HUGO BOSS and BMW"),
    ("names-of-everyday-words-do-not-shout", "NEW YORKER und BEST WESTERN"),
    ("lists-of-names-do-not-shout", "OBI, BAUHAUS & HORNBACH | DER SPIEGEL, DIE ZEIT"),
    ("made-in-germany-does-not-shout", "MADE IN GERMANY"),
    ("common-abbreviations-do-not-shout", "Order ASAP, DIY or B2B"),
    ("coupon-codes-do-not-shout", "Use code SAVE at checkout"),
    ("coupon-codes-with-digits-do-not-shout", "SAVE20, DEAL5 or FREE4U at checkout"),
    ("german-coupon-codes-do-not-shout", "Gutscheincode: SPAREN"),
    ("chinese-coupon-codes-do-not-shout", "优惠码SALE立减"),
    ("quoted-coupon-codes-do-not-shout", "Just type “FREE” in the box"),
    ("joined-coupon-codes-do-not-shout", "Mit SALE-2026 und NEW_USER"),
    ("one-capital-does-not-shout", "Vitamin A, Plan B, I am"),
    ("names-with-capitals-inside-do-not-alternate", "YouTube, LaTeX, BaFöG, McDonald’s, PlayStation, eBay"),
    ("acronyms-with-dots-are-not-spelled", "U.S.A., e.V., J.R.R. Tolkien"),
    ("short-lists-of-letters-are-not-spelled", "Vitamin A B C D"),
    ("product-names-with-digits-have-no-stand-ins", "WH-1000XM5, PS5, 3M, H2O, W3C, 4K, i7, Aero Trail 3"),
    ("mail-addresses-have-no-stand-ins", "Write to sale@example.com or @free"),
    ("prices-are-no-telephones", "€1.299.000, 1 200 000 people, 10,000,000 steps"),
    ("dates-are-no-telephones", "01.12.2026, 2026-11-29, 11/29/2026, 01.12.2026-24.12.2026"),
    ("hours-are-no-telephones", "08.00-18.00, 0800-1800, 24/7"),
    ("years-are-no-telephones", "Saison 2025/2026, seit 1998"),
    ("part-numbers-are-no-telephones", "Modell A0123456789, Art. 0123456, ISBN 978-3-16-148410-0"),
    ("watts-are-no-vanity-numbers", "Der 800-WATT-Motor"),
    ("large-numbers-are-no-telephones", "+1 000 000 users, 100 000 0000"),
    ("standards-are-no-telephones", "ISO 9001:2015, DIN EN 1090, EAN 4006381333931, 01067 Dresden"),
    ("percentages-are-no-telephones", "0,5 % bis 12,5 %, 030 %"),
    ("clicks-that-say-what-they-bring-are-good", "Click to see all shoes, klick dich fit"),
    ("signs-with-a-meaning-do-not-decorate", "Gore-Tex® 20 °C, 5 % | Größe 42½ – № 1"),
    ("quotation-marks-do-not-decorate", "«Aero», „leicht“, 「轻盈」【新品】"),
    ("dots-between-names-do-not-decorate", "列奥纳多·达·芬奇"),
    ("full-width-katakana-is-good", "スニーカー 新作"),
    ("an-asterisk-rates-a-hotel", "Our 5* hotel, 4**** included, Hotel***** Wien"),
    ("an-asterisk-points-to-conditions", "Free returns* on all. *Terms apply"),
    ("an-asterisk-multiplies", "3*4 m"),
    ("a-word-twice-is-a-name", "Bora Bora, Pago Pago"),
    ("a-chinese-word-twice-is-good", "天天天蓝，休息休息"),
    ("numbers-need-no-space", "1,5 l, 10,000 steps"),
    ("chinese-commas-need-no-space", "轻盈，舒适,耐穿"),
    ("a-name-that-begins-with-a-dot-is-good", "Learn .NET today"),
];

fn found(text: &str, checks: &[Editorial]) -> Vec<Editorial> {
    checks.iter().copied().filter(|check| check.find(text).is_some()).collect()
}

fn ordinary() -> Vec<Editorial> {
    Editorial::all().filter(|check| !SPECIAL.contains(check)).collect()
}

#[test]
fn finds_what_its_table_says_and_nothing_else() {
    let wrong = |(sentence, text, expected): &Row| {
        let found = found(text, &ordinary());
        (found != *expected).then(|| format!("{sentence}: {text}: {found:?}"))
    };
    let wrong: Vec<String> = BAD.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn good_copy_raises_no_alarm() {
    let alarms: Vec<_> = GOOD.iter().map(|(sentence, text)| (sentence, found(text, &ordinary()))).collect();
    assert!(alarms.iter().all(|(_, found)| found.is_empty()), "{alarms:#?}");
}

#[test]
fn special_checks_find_what_their_table_says() {
    let long = "ü".repeat(500);
    let rows: [(&str, &str, Editorial, bool); 16] = [
        ("a-headline-has-no-exclamation-mark", "Run free!", ExclamationInHeadline, true),
        ("a-chinese-headline-has-none-either", "轻盈！", ExclamationInHeadline, true),
        ("a-headline-may-ask", "Run free?", ExclamationInHeadline, false),
        ("a-title-has-no-full-stop", "Light shoes.", FinalPunctuation, true),
        ("a-chinese-title-has-none-either", "轻盈跑鞋。", FinalPunctuation, true),
        ("a-title-may-ask", "Light shoes?", FinalPunctuation, false),
        ("a-title-may-end-in-an-abbreviation", "Schmidt & Co.", FinalPunctuation, false),
        ("a-title-may-trail-off", "And then...", FinalPunctuation, false),
        ("a-line-of-a-thousand-bytes-is-long", &long, LongLine, true),
        ("a-line-of-998-bytes-is-not", &long[..998], LongLine, false),
        ("an-emoji-costs", "Your parcel is on its way 👾", CostlyCharacter, true),
        ("a-typographic-apostrophe-costs", "It’s on its way to you", CostlyCharacter, true),
        ("german-letters-cost-nothing", "Dein Päckchen für 5 € kommt früh", CostlyCharacter, false),
        ("decomposed-letters-cost-nothing", "Dein Pa\u{308}ckchen kommt", CostlyCharacter, false),
        ("chinese-has-no-choice", "您的包裹已发出", CostlyCharacter, false),
        ("much-of-another-alphabet-has-no-choice", "Ваш заказ 12 уже в пути", CostlyCharacter, false),
    ];
    for (sentence, text, check, expected) in rows {
        assert_eq!(check.find(text).is_some(), expected, "{sentence}");
    }
}

#[test]
fn every_check_has_a_row_its_own_name_and_its_place_in_the_order() {
    for check in ordinary() {
        assert!(BAD.iter().any(|(_, _, checks)| checks.contains(&check)), "{check:?} has no row");
    }
    for check in Editorial::all() {
        assert_eq!(check.name(), format!("{check:?}"));
    }
    assert!(Editorial::all().is_sorted());
    assert!(Editorial::all().all(|check| check.row().check == check));
}

#[test]
fn an_excerpt_begins_where_the_finding_does() {
    for (check, text, excerpt) in [
        (RepeatedPunctuation, "So fresh!! Order", "!! Order"),
        (ShoutingCapitals, "Größe: FREE", "FREE"),
        (PhoneNumber, "微信 138 1234 5678", "138 1234 5678"),
        (ClickHere, "Schuhe: Hier klicken und los", "Hier klicken und los"),
        (Emoji, "云🔥", "🔥"),
    ] {
        assert_eq!(check.find(text).as_deref(), Some(excerpt));
    }
}
