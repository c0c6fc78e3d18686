package main

import (
	"maps"
	"slices"
)

// topics are what help tells beside the commands: what several of them have in common.
var topics = map[string]string{
	"endpoints": `An endpoint is where one socket listens (--bind) and others connect (--connect); who starts first
does not matter, and one socket may have many of both.

  tcp://127.0.0.1:5557   a port of this host alone
  tcp://*:5557           the port on every interface; to bind
  tcp://eth0:5557        on the interface of that name; to bind
  tcp://10.0.0.7:5557    another host; names work as addresses do
  tcp://127.0.0.1:*      any free port, which is told on standard error; to bind
  ipc:///tmp/orders      a socket file, for programs on this host
  ipc://*                a file that nobody else uses, which is told on standard error; to bind

An endpoint that is connected to and has no peer is told on standard error within a second, with what went wrong.`,
	"discovery": findHelp + `

  yodel pull --announce work
  seq 10 | yodel push --find work
  yodel peers

A name that nobody announces is told within a second or two, with those that are. --group keeps apart who is not to
meet, and --interface says on which networks to announce and find.`,
	"security": securityHelp,
	"exit-status": `0  done
1  failed; the reason is on standard error
2  wrong usage
3  --timeout passed with nothing to show

Ctrl-C ends with 0 where there was nothing left to do.`,
	"formats": `--format says how messages are printed, and --input how lines are read:

  line    frames joined by --delim (a tab), one message a line; on a terminal what it would obey is shown as \x1b
  quoted  the same with each frame as a Go string: "a\tb"
  hex     the same in hexadecimal
  json    {"frames":["…base64…"],"from":"…","text":["…"]}; text is there if all frames are UTF-8, and either will
          do for --input json
  raw     the bytes and nothing else; to print`,
}

const commonHelp = "What all verbs have in common: yodel help endpoints, discovery, security, formats or exit-status."

func topicNames() []string { return slices.Sorted(maps.Keys(topics)) }

// examples are three lines for each verb, of which the first is the other side.
var examples = map[string]string{
	"push": `  yodel pull --bind tcp://127.0.0.1:5557
  seq 10 | yodel push --connect tcp://127.0.0.1:5557
  yodel push --find work --data hello`,
	"pull": `  yodel push --connect tcp://127.0.0.1:5557 --data hello
  yodel pull --bind tcp://127.0.0.1:5557 --count 1
  yodel pull --announce work --format json`,
	"pub": `  yodel sub --connect tcp://127.0.0.1:5558 --topic news
  yodel pub --bind tcp://127.0.0.1:5558 --topic news --data hello
  tail -f log | yodel pub --announce logs --overflow block`,
	"sub": `  yodel pub --bind tcp://127.0.0.1:5558 --topic news --data hello
  yodel sub --connect tcp://127.0.0.1:5558 --topic news
  yodel sub --find logs --format json`,
	"req": `  yodel rep --bind tcp://127.0.0.1:5559 --exec 'tr a-z A-Z'
  yodel req --connect tcp://127.0.0.1:5559 --data hello
  yodel req --find upper --timeout 2s --data hello`,
	"rep": `  yodel req --connect tcp://127.0.0.1:5559 --data hello
  yodel rep --bind tcp://127.0.0.1:5559 --exec 'tr a-z A-Z'
  yodel rep --announce upper --echo`,
	"call": `  yodel serve upper --bind tcp://127.0.0.1:5563 --exec 'jq ascii_upcase'
  yodel call upper --connect tcp://127.0.0.1:5563 --data '"hello"'
  seq 3 | yodel call square --find math --timeout 2s`,
	"serve": `  yodel call upper --connect tcp://127.0.0.1:5563 --data '"hello"'
  yodel serve upper --bind tcp://127.0.0.1:5563 --exec 'jq ascii_upcase'
  yodel serve square --announce math --exec 'jq ".*."'`,
	"publish": `  yodel subscribe 'quotes.*' --connect tcp://127.0.0.1:5564
  yodel publish quotes.sap --bind tcp://127.0.0.1:5564 --data 101.5
  tail -f log | jq -R --unbuffered . | yodel publish log.web --announce logs --overflow block`,
	"subscribe": `  yodel publish quotes.sap --bind tcp://127.0.0.1:5564 --data 101.5
  yodel subscribe 'quotes.*' --connect tcp://127.0.0.1:5564 --count 1
  yodel subscribe 'log.>' --find logs --json`,
	"submit": `  yodel work --bind tcp://127.0.0.1:5565 --exec 'jq length'
  seq 3 | yodel submit --connect tcp://127.0.0.1:5565 --wait
  find . -name '*.log' | jq -R . | yodel submit --announce compress`,
	"work": `  seq 3 | yodel submit --connect tcp://127.0.0.1:5565 --wait
  yodel work --bind tcp://127.0.0.1:5565 --exec 'jq length'
  yodel work --find compress --exec 'jq -r . | xargs gzip' --parallel 4`,
	"pair": `  yodel pair --bind tcp://127.0.0.1:5560
  yodel pair --connect tcp://127.0.0.1:5560
  yodel pair --find talk`,
	"dealer": `  yodel rep --bind tcp://127.0.0.1:5559
  printf '\thello\n' | yodel dealer --connect tcp://127.0.0.1:5559 --count 1
  yodel dealer --find upper`,
	"router": `  yodel dealer --connect tcp://127.0.0.1:5561 --id worker
  yodel router --bind tcp://127.0.0.1:5561 --format quoted --input quoted
  printf 'worker\thello\n' | yodel router --bind tcp://127.0.0.1:5561 --wait 1`,
	"xpub": `  yodel sub --connect tcp://127.0.0.1:5558 --topic news
  yodel xpub --bind tcp://127.0.0.1:5558 --format json
  printf 'news\thello\n' | yodel xpub --bind tcp://127.0.0.1:5558 --wait 1`,
	"xsub": `  yodel pub --bind tcp://127.0.0.1:5558 --topic news --data hello
  yodel xsub --connect tcp://127.0.0.1:5558 --topic news
  yodel xsub --find logs --topic ''`,
	"spout": `  yodel drain -t 120 'news-service/#.news'
  yodel spout news-service/usea.news xiaorui.cc
  yodel spout --durable -c 10 -P x=1 -M sku=7 orders "10 pounds"`,
	"drain": `  yodel spout -c 3 orders hello
  yodel drain -t 30 -c 3 -p '%(P[spout-id])s %(C)s' orders
  yodel drain 'orders; {mode: browse}'`,
}
