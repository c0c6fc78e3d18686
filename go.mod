module github.com/yodel-mq/yodel

go 1.26
