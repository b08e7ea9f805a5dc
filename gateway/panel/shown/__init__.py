"""What screens and the API say of exams, pictures and archives: values and words. Looks; changes nothing."""
