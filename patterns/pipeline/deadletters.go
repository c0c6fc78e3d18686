package pipeline

import "github.com/yodel-mq/yodel/patterns/internal/dispatch"

// mostDead is how many dead letters are kept.
const mostDead = 1000

// deadLetters are the jobs that came to nothing, the oldest first.
type deadLetters struct {
	letters []deadLetter
	dropped uint64 // beyond mostDead
}

type deadLetter struct {
	job *dispatch.Job[*entry]
	err error
}

func (d *deadLetters) add(j *dispatch.Job[*entry], err error) {
	if len(d.letters) == mostDead {
		d.letters = append(d.letters[:0], d.letters[1:]...)
		d.dropped++
	}
	d.letters = append(d.letters, deadLetter{j, err})
}
