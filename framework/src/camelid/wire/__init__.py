"""What server and worker say to each other: messages, frames and the handshake."""
