package main

import "os"

// plantVariable has the workers do wrong what the tests of this program want to see found.
const plantVariable = "CRASHTEST_PLANT"

// planted says whether this is the fault to plant, in the middle of what a receiver gets.
func (j *journal) planted(what string) bool {
	return j.count == 100 && os.Getenv(plantVariable) == what
}

// note writes a record down, but for what is planted.
func (j *journal) note(r *record) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.count++
	switch {
	case j.held != nil && j.held.Lane == r.Lane:
		held := j.held
		j.held = nil
		if err := j.write(r); err != nil {
			return err
		}
		return j.write(held)
	case j.planted("loss"):
		return nil
	case j.planted("double"):
		if err := j.write(r); err != nil {
			return err
		}
	case j.planted("swap"):
		j.held = r
		return nil
	case j.planted("damage"):
		r.Flags |= damaged
	case j.planted("invent"):
		r.N += 1 << 40
	case j.planted("exit"):
		os.Exit(0)
	case j.planted("race"):
		_, _ = os.Stderr.WriteString("WARNING: DATA RACE\n")
	}
	return j.write(r)
}
