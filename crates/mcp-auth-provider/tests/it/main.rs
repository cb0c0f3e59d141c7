//! The authorization server over real sockets.
