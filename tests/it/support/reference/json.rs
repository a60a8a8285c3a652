//! JSON by the letter of RFC 8259, with nothing thrown away: names that stand twice, numbers as they
//! were written, strings that hold half of a surrogate pair.

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    /// `None` where an escape names half of a surrogate pair: such a string is no Unicode text.
    Text(Option<String>),
    Array(Vec<Self>),
    Object(Vec<(Option<String>, Self)>),
}

impl Json {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_deref(),
            _ => None,
        }
    }

    /// The strings of an array that holds nothing else.
    pub(crate) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Array(values) => values.iter().map(Self::text).collect(),
            _ => None,
        }
    }

    /// Whether all strings are text and all numbers fit a double: what a program can hold.
    pub(crate) fn is_tame(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) => true,
            Self::Number(digits) => digits.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Text(text) => text.is_some(),
            Self::Array(values) => values.iter().all(Self::is_tame),
            Self::Object(members) => {
                members.iter().all(|(name, value)| name.is_some() && value.is_tame())
            }
        }
    }
}

/// The members of the one object that the bytes hold, each name once; `None` for all else.
pub(crate) fn object(json: &[u8], max_depth: usize) -> Option<Vec<(String, Json)>> {
    let text = std::str::from_utf8(json).ok()?;
    let mut reader = Reader { rest: text, depth: max_depth };
    let Json::Object(members) = reader.value()? else { return None };
    reader.white_space();
    if !reader.rest.is_empty() {
        return None;
    }
    let members: Vec<(String, Json)> =
        members.into_iter().map(|(name, value)| Some((name?, value))).collect::<Option<_>>()?;
    let twice = |name: &str| members.iter().filter(|(other, _)| other == name).count() > 1;
    if members.iter().any(|(name, _)| twice(name)) {
        return None;
    }
    Some(members)
}

struct Reader<'a> {
    rest: &'a str,
    /// How deep it may still go.
    depth: usize,
}

impl Reader<'_> {
    fn white_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, prefix: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(prefix)?;
        Some(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn value(&mut self) -> Option<Json> {
        self.white_space();
        match self.rest.chars().next()? {
            'n' => self.take("null").map(|()| Json::Null),
            't' => self.take("true").map(|()| Json::Bool(true)),
            'f' => self.take("false").map(|()| Json::Bool(false)),
            '"' => self.string().map(Json::Text),
            '[' => self.list("[", "]", Self::value).map(Json::Array),
            '{' => self.list("{", "}", Self::member).map(Json::Object),
            _ => self.number().map(Json::Number),
        }
    }

    fn list<T>(
        &mut self,
        open: &str,
        close: &str,
        item: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.take(open)?;
        self.depth = self.depth.checked_sub(1)?;
        let mut items = Vec::new();
        self.white_space();
        while self.take(close).is_none() {
            if !items.is_empty() {
                self.take(",")?;
            }
            items.push(item(self)?);
            self.white_space();
        }
        self.depth += 1;
        Some(items)
    }

    fn member(&mut self) -> Option<(Option<String>, Json)> {
        self.white_space();
        let name = self.string()?;
        self.white_space();
        self.take(":")?;
        Some((name, self.value()?))
    }

    fn number(&mut self) -> Option<String> {
        let whole = self.rest;
        let digits = |reader: &mut Self| {
            let rest = reader.rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let count = reader.rest.len() - rest.len();
            reader.rest = rest;
            (count > 0).then_some(())
        };
        let _ = self.take("-");
        if self.take("0").is_none() {
            digits(self)?;
        }
        if self.take(".").is_some() {
            digits(self)?;
        }
        if self.take("e").or_else(|| self.take("E")).is_some() {
            let _ = self.take("+").or_else(|| self.take("-"));
            digits(self)?;
        }
        Some(whole[..whole.len() - self.rest.len()].to_owned())
    }

    /// In UTF-16 first, as the escapes are.
    fn string(&mut self) -> Option<Option<String>> {
        self.take("\"")?;
        let mut units = Vec::new();
        loop {
            match self.next()? {
                '"' => return Some(String::from_utf16(&units).ok()),
                '\\' => units.push(match self.next()? {
                    'u' => self.hex4()?,
                    'b' => 8,
                    'f' => 12,
                    'n' => 10,
                    'r' => 13,
                    't' => 9,
                    c @ ('"' | '\\' | '/') => c as u16,
                    _ => return None,
                }),
                '\0'..='\u{1f}' => return None,
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn hex4(&mut self) -> Option<u16> {
        let digits = self.rest.get(..4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = &self.rest[4..];
        u16::from_str_radix(digits, 16).ok()
    }
}
