"""The figures the suite is held to, as ratios against a reference measured in the same run (`make bench`)."""
