//! Properties of the client, in its own terms:
//! <https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md>.

use ordered_core::transport::TransportError;

/// What the transport sets, because its promises rest on it.
const OURS: [&str; 9] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.idempotence",
    "acks",
    "request.required.acks",
];

/// Refuses a property that is not for others to set.
pub(crate) fn check(name: &str) -> Result<(), TransportError> {
    let refused = |why: &str| {
        let text = format!("Kafka: the property `{name}` of the client {why}");
        Err(TransportError::fatal(text))
    };
    match name {
        "group.id" => refused("is given as `group` in the URL"),
        _ if OURS.contains(&name) => refused("is set by the transport: leave it out"),
        _ => Ok(()),
    }
}

/// Reads a file with a property on each line, as `name=value`; lines that begin with `#` are comments.
pub(crate) fn read(path: &str) -> Result<Vec<(String, String)>, TransportError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let text =
            format!("Kafka: the file with the client's properties, `{path}`, cannot be read");
        TransportError::fatal(format!("{text}: {error}")).with_source(error)
    })?;
    parse(&text).map_err(|(line, why)| {
        // The line may have a secret in it.
        TransportError::fatal(format!("Kafka: `{path}`, line {line}: {why}"))
    })
}

fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, String)> {
    let mut properties = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: String| (place + 1, why);
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| wrong("it is not `name=value`".into()))?;
        let name = name.trim();
        check(name).map_err(|error| wrong(error.to_string()))?;
        properties.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_property_on_each_line() {
        let text = "# TLS\n\n security.protocol = sasl_ssl \nsasl.password=a=b#c\n";
        let expected = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.password", "a=b#c"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_line_that_is_wrong_is_named_and_not_quoted() {
        let (line, why) = parse("a.b=c\nSECRET\n").unwrap_err();
        assert_eq!(line, 2);
        assert!(!why.contains("SECRET"), "{why}");
        let (line, why) = parse("enable.auto.commit=true").unwrap_err();
        assert_eq!(line, 1);
        assert!(why.contains("set by the transport"), "{why}");
    }
}
