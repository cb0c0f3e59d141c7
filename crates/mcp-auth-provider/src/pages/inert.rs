//! Text that others wrote, made harmless to the eye. Escaping keeps it out of the markup; this keeps it from reordering,
//! hiding or imitating what stands around it (attack CO03).

/// At most `most` characters of a text, without control characters, without those that change the direction of writing, and
/// without invisible ones; white space in one piece.
pub(crate) fn inert(text: &str, most: usize) -> String {
    let mut clean = String::new();
    let mut space = false;
    let mut length = 0;
    for letter in text.chars().filter(|letter| !is_trick(*letter)) {
        if letter.is_whitespace() || letter.is_control() {
            space = !clean.is_empty();
            continue;
        }
        if length + usize::from(space) >= most {
            clean.push('…');
            break;
        }
        if space {
            clean.push(' ');
            length += 1;
            space = false;
        }
        clean.push(letter);
        length += 1;
    }
    clean
}

fn is_trick(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // covers: CO03
    #[test]
    fn tricks_are_taken_out() {
        assert_eq!(inert("  Claude\r\n\tCode ", 80), "Claude Code");
        assert_eq!(inert("evil\u{202e}txt.exe\u{2066}", 80), "eviltxt.exe");
        assert_eq!(inert("a\u{200b}b\0c\u{1b}[31m", 80), "ab c [31m");
        assert_eq!(inert("Zoë Ångström 张伟", 80), "Zoë Ångström 张伟");
        assert_eq!(inert(&"x".repeat(100), 10), format!("{}…", "x".repeat(10)));
        assert_eq!(inert("\u{202e}\u{200b}\n", 10), "");
    }

    proptest! {
        #[test]
        fn never_longer_and_never_a_control_character(text in ".{0,200}", most in 1..50usize) {
            let clean = inert(&text, most);
            prop_assert!(clean.chars().count() <= most + 1);
            prop_assert!(!clean.chars().any(char::is_control));
            prop_assert_eq!(inert(&clean, most + 1), clean.trim());
        }
    }
}
