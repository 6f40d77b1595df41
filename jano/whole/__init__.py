"""The first engine: whole steps are computed or forecast, as their measured errors say."""
