/* Works a TCP connection to the bench's server (bench/parts/network.ts): sends or receives MiB, asks and waits for answers of a
 * byte, or connects again and again. Prints what it has done, and no times. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[256 * 1024];

static void must(long result, const char *what) {
	if (result >= 0) return;
	perror(what);
	exit(1);
}

/* The first byte tells the server what to do. */
static int connected(const char *address, const char *port, char mode) {
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	int one = 1;
	int socket_ = socket(AF_INET, SOCK_STREAM, 0);
	must(socket_, "socket");
	inet_pton(AF_INET, address, &to.sin_addr);
	must(connect(socket_, (struct sockaddr *)&to, sizeof to), "connect");
	setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	must(write(socket_, &mode, 1), "write");
	return socket_;
}

static long receive_all(int socket_) {
	long total = 0, got;
	while ((got = read(socket_, buffer, sizeof buffer)) > 0) total += got;
	must(got, "read");
	return total;
}

int main(int argc, char **argv) {
	if (argc != 5) return 2;
	const char *what = argv[1];
	long count = atol(argv[4]), done = 0;
	if (!strcmp(what, "connect")) {
		for (; done < count; done++) {
			int socket_ = connected(argv[2], argv[3], 'e');
			must(shutdown(socket_, SHUT_WR), "shutdown");
			receive_all(socket_);
			close(socket_);
		}
	} else {
		int socket_ = connected(argv[2], argv[3], what[0]);
		if (!strcmp(what, "send")) {
			for (; done < count * 4; done++)
				for (long at = 0, sent; at < (long)sizeof buffer; at += sent) must(sent = write(socket_, buffer + at, sizeof buffer - at), "write");
			must(shutdown(socket_, SHUT_WR), "shutdown");
			/* The server's answer is how much has arrived. */
			must(read(socket_, buffer, sizeof buffer - 1), "read");
			done = atol(buffer);
		} else if (!strcmp(what, "receive")) {
			snprintf(buffer, sizeof buffer, "%ld\n", count);
			must(write(socket_, buffer, strlen(buffer)), "write");
			done = receive_all(socket_);
		} else {
			for (; done < count; done++) {
				must(write(socket_, buffer, 1), "write");
				must(read(socket_, buffer, 1), "read");
			}
		}
		close(socket_);
	}
	printf("%s %ld\n", what, done);
	return 0;
}
