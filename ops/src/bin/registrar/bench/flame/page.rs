//! `flame.html`: the stacks as an icicle, the outermost functions on top, in one file that needs nothing else.
//!
//! The script beside this file draws it. The crate for flame graphs, inferno, below every other that draws them, is under
//! the CDDL, which `deny.toml` does not let in; `flame.folded` is for it and its like.

use super::{super::report::escape, stacks::Stacks};

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// The page.
pub fn html(stacks: &Stacks, described: &str) -> String {
    // Within a script element, a function's name must not look like the end of it.
    let tree = stacks.json().to_string().replace('<', "\\u003c");
    [
        "<!doctype html><html lang=\"en-GB\"><meta charset=\"utf-8\"><title>Registrar: where the time goes</title>",
        &format!("<style>\n{STYLE}</style>"),
        "<h1>Where the time goes</h1>",
        &format!("<p>{}. <a href=\"report.html\">The report</a></p>", escape(described)),
        "<p>Each bar is a function, as wide as its share of the samples, above what it called; grey is the kernel. Of \
         NATS only the innermost functions are known. A click makes a bar as wide as the page, Escape shows all of it again.</p>",
        "<p><label>Find <input id=\"find\" type=\"search\" placeholder=\"part of a name\"></label> <output id=\"found\"></output></p>",
        "<p id=\"told\">&nbsp;</p>",
        "<div id=\"view\"><noscript>A script draws this: without it, flame.folded has the stacks.</noscript></div>",
        &format!("<script type=\"application/json\" id=\"stacks\">{tree}</script>"),
        &format!("<script>\n{SCRIPT}</script>"),
        "</html>\n",
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::{super::stacks, *};

    #[test]
    fn no_name_of_a_function_ends_the_data_of_the_page() {
        let script = "x  1/1  \n\t1 </script><b>\n";
        let stacks = Stacks::of(stacks::samples(script), |_, command| vec![command.to_owned()]);
        let page = html(&stacks, "a & b");
        assert!(page.contains(r#"["all",1,[["x",1,[["\u003c/script>\u003cb>",1,[]]]]]]</script>"#), "{page}");
        assert!(page.contains("<p>a &amp; b. "), "{page}");
    }
}
