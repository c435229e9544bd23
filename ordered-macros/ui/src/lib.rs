//! Nothing: the tests are all there is, and cargo wants a library or a program beside them.
