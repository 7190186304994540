"""What is asked of a mount: of the kernel, of rclone, of its storage, and through the mount itself. It judges nothing."""
