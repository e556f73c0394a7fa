"""Graph surgery: ModelProto in, ModelProto out; no sessions, and files only as bytes already read."""
