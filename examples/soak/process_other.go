//go:build !unix

package main

// canSuspend: processes can be stopped and go on later.
const canSuspend = false

func (p *process) suspend() {}
func (p *process) resume()  {}
