"""What fills the inbox besides people and programs that drop files there."""
