"""The decisions: Faust agents over pure policies; the only house that talks to providers."""
