"""Numbers over commits, in the files that asv keeps them in: read, written and drawn without asv itself."""
