"""What has to be right between this box and the others: `doctor` and a page of the screen say the same."""
