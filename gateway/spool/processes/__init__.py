"""What the three processes say to each other and ask of each other, by way of the data folder."""
