//! The form on a page, as a browser reads it.

/// Where it is posted to, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Form {
    /// The only form of a page, with its boxes as they are ticked.
    #[track_caller]
    pub(crate) fn of(html: &str) -> Self {
        let forms: Vec<_> = tags(html, "form").collect();
        assert_eq!(forms.len(), 1, "one form in {html}");
        assert_eq!(attribute(forms[0], "method").as_deref(), Some("post"));
        let fields = tags(html, "input").filter_map(|input| {
            let ticks = attribute(input, "type").as_deref() == Some("checkbox");
            if ticks && !input.contains(" checked") {
                return None;
            }
            Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
        });
        Self { action: attribute(forms[0], "action").unwrap(), fields: fields.collect() }
    }

    /// Fills in a field, or adds it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a field out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(own, _)| own != name);
        self
    }

    /// What a field says.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> &str {
        match self.fields.iter().find(|(own, _)| own == name) {
            Some((_, value)) => value,
            None => panic!("there is no field {name} in {self:?}"),
        }
    }
}

/// The first link of a page.
pub(crate) fn link(html: &str) -> Option<String> {
    tags(html, "a").find_map(|tag| attribute(tag, "href"))
}

fn tags<'h>(html: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    let open = format!("<{name} ");
    html.match_indices(&open)
        .map(|(at, _)| &html[at..])
        .map(|tag| &tag[..tag.find('>').unwrap()])
        .collect::<Vec<_>>()
        .into_iter()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescape(&rest[..rest.find('"')?]))
}

pub(crate) fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#x2f;", "/")
        .replace("&amp;", "&")
}
