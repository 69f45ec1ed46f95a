"""SpecRec, the Discord application: linking, collecting, retraining, recommending."""
