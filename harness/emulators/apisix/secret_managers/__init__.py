"""Where $secret:// references lead: one file per manager, and the book of what they said."""
