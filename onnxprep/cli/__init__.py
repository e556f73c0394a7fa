"""The command line: names and flags in, library calls, text or JSON out. No logic lives here."""
