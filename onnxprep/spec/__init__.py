"""The document: reading, checking, planning, canonical form."""
