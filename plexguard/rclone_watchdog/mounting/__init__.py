"""The mount itself: way is made for it, rclone is become, and a cover is laid over a mount point that has none."""
