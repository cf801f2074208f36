"""Find out from its records whether a deployed model sees other pictures than it was validated on."""
