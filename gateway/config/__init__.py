"""One TOML file, read once, refused whole: `settings` is what it says, `reader` turns the file into it."""
