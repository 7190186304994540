"""plexguard-speed-test: how fast is the line, once a night, when it disturbs nobody."""
