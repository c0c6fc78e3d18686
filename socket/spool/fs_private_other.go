//go:build !unix

package spool

// checkPrivate leaves it to the lists of access rights that a directory passes on to what is made in it.
func (d *directory) checkPrivate(bool) error { return nil }

// syncDirectory does nothing: Windows cannot sync a directory, and NTFS keeps a journal of names.
func syncDirectory(string) error { return nil }
