"""What is looked at while requests are carried; what is out of the ordinary becomes an event."""
