use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// How much of what the other side says is passed on.
const MAX_WORDS: usize = 400;

/// A call that failed after the SDK's own retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// What happened, in words without secrets.
    pub(crate) words: String,
}

/// What to make of a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The receipt is no longer good: the message is somebody else's, or deleted, or visible again.
    Gone,
    /// There is no such queue.
    NoQueue,
    /// There are no credentials, or they are not accepted.
    Credentials,
    /// The credentials are known, and do not suffice.
    Denied,
    /// Nobody answers.
    Unreachable,
    /// Throttling, a failure on the other side, or something unknown: it passes.
    Passing,
    /// The request is wrong, and would be again.
    Refused,
}

impl Failure {
    pub(crate) fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        if let Some(service) = error.as_service_error() {
            let code = service.code().unwrap_or("an unnamed error");
            return Self::coded(code, service.message().unwrap_or_default());
        }
        let chain = chain(error);
        let credentials = chain
            .iter()
            .any(|error| error.downcast_ref::<CredentialsError>().is_some());
        let kind = match error {
            _ if credentials => FailureKind::Credentials,
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => FailureKind::Unreachable,
            SdkError::ConstructionFailure(_) => FailureKind::Refused,
            _ => FailureKind::Passing,
        };
        let mut words: Vec<String> = chain.iter().map(ToString::to_string).collect();
        words.dedup();
        Self {
            kind,
            words: shortened(&words.join(": ")),
        }
    }

    /// From the code and message of an answer, or of an entry of a batch.
    ///
    /// A receipt that has expired is `InvalidParameterValue` for FIFO queues, one that never was good is
    /// `ReceiptHandleIsInvalid`, and on a message that is visible again `ChangeMessageVisibility` fails with
    /// `MessageNotInflight`: <https://repost.aws/knowledge-center/sqs-receipt-handle-error>. No other parameter of
    /// ours can be invalid: all are checked before they are sent.
    pub(crate) fn coded(code: &str, message: &str) -> Self {
        let short = code.rsplit(['.', '#']).next().unwrap_or(code);
        let kind = match short {
            "ReceiptHandleIsInvalid" | "InvalidParameterValue" | "MessageNotInflight" => {
                FailureKind::Gone
            }
            "NonExistentQueue" | "QueueDoesNotExist" => FailureKind::NoQueue,
            "AccessDenied" | "AccessDeniedException" | "KmsAccessDenied" => FailureKind::Denied,
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignature"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidSecurity" => FailureKind::Credentials,
            "InvalidMessageContents"
            | "InvalidAttributeName"
            | "InvalidAttributeValue"
            | "InvalidAddress"
            | "UnsupportedOperation"
            | "BatchRequestTooLong" => FailureKind::Refused,
            _ => FailureKind::Passing,
        };
        // What is said about a signature quotes the headers that were signed, with the session token.
        let quotable = kind != FailureKind::Credentials && !message.is_empty();
        let words = if quotable {
            shortened(&format!("{short}: {message}"))
        } else {
            short.to_owned()
        };
        Self { kind, words }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.kind == FailureKind::Gone
    }
}

/// The error and its causes.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut chain = vec![error];
    while let Some(cause) = chain[chain.len() - 1].source() {
        chain.push(cause);
    }
    chain
}

fn shortened(words: &str) -> String {
    match words.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_and_strange_receipts_are_no_longer_ours() {
        for code in [
            "ReceiptHandleIsInvalid",
            "InvalidParameterValue",
            "AWS.SimpleQueueService.MessageNotInflight",
        ] {
            assert!(Failure::coded(code, "The receipt handle has expired").is_gone());
        }
        assert!(!Failure::coded("InternalError", "").is_gone());
    }

    #[test]
    fn codes_of_both_protocols_are_known() {
        for code in [
            "AWS.SimpleQueueService.NonExistentQueue",
            "com.amazonaws.sqs#QueueDoesNotExist",
            "QueueDoesNotExist",
        ] {
            assert_eq!(Failure::coded(code, "").kind, FailureKind::NoQueue);
        }
    }

    #[test]
    fn nothing_is_quoted_about_a_signature() {
        let failure = Failure::coded("SignatureDoesNotMatch", "x-amz-security-token:SECRET");
        assert_eq!(failure.words, "SignatureDoesNotMatch");
        let long = Failure::coded("InternalError", &"é".repeat(5_000));
        assert!(long.words.chars().count() < 450);
    }
}
