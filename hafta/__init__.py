"""HAFTA: services that do not stay down and do not lose their place."""
