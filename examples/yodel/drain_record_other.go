//go:build !unix

package main

import "os"

func appends(*os.File) bool { return false }

func descriptorPath(*os.File) string { return "" }
