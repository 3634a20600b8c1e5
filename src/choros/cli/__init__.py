"""The command line: parse, call the library, print. One small module a command."""
