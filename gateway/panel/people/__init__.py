"""Who uses the panel: people and their roles, sign-in, sessions. Knows no pages and no exams."""
