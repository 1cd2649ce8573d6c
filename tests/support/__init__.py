"""What tests share: oracles, hostile files, small models and terminals."""
