package headgate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.apache.spark.QueryContext;
import org.apache.spark.SparkRuntimeException;
import scala.collection.immutable.Map;
import scala.collection.immutable.Map$;

/**
 * The gateway as {@code ai_query} sees it: where it is, with what token, and how often a call is tried.
 *
 * <p>The token comes from the environment or a file, never from a SQL setting, which any user could print.
 */
final class Gateway {
  static final String CHAT = "llm/v1/chat";
  static final ObjectMapper JSON = new ObjectMapper();

  private static final Duration CONNECT = Duration.ofSeconds(5);
  private static final Duration LOOK_UP = Duration.ofSeconds(5);
  private static final int DOUBLINGS = 5; // to 16 seconds
  private static final ConcurrentHashMap<String, String> TASKS = new ConcurrentHashMap<>();
  private static final Executor THREADS = Executors.newFixedThreadPool(4, Gateway::thread);
  private static final HttpClient CLIENT =
      HttpClient.newBuilder().connectTimeout(CONNECT).executor(THREADS).build();

  private Gateway() {}

  /** The call could not be answered; says why, without the token. Of Spark's own kind, so that people see no stack. */
  static final class Failed extends SparkRuntimeException {
    private static final long serialVersionUID = 1L;
    private final String why;

    Failed(String why) {
      super("USER_RAISED_EXCEPTION", facts("ai_query: " + why), null, new QueryContext[0], "");
      this.why = why;
    }

    private static Map<String, String> facts(String message) {
      return Map$.MODULE$.<String, String>empty().updated("errorMessage", message);
    }

    String why() {
      return why;
    }
  }

  private static Thread thread(Runnable work) {
    Thread thread = new Thread(work, "ai_query");
    thread.setDaemon(true); // a call nobody waits for any more must not keep the process
    return thread;
  }

  /** The endpoint's task, remembered; {@link #CHAT} when the gateway does not say. */
  static String task(String endpoint) {
    String known = TASKS.get(endpoint);
    if (known != null) {
      return known;
    }
    try {
      HttpRequest request = to("/api/2.0/serving-endpoints/" + encoded(endpoint)).timeout(LOOK_UP).GET().build();
      HttpResponse<String> answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
      String task = answer.statusCode() == 200 ? JSON.readTree(answer.body()).path("task").asText("") : "";
      if (task.isEmpty()) {
        return CHAT;
      }
      TASKS.put(endpoint, task);
      return task;
    } catch (IOException | Failed error) {
      return CHAT; // the call itself will say what is wrong
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      return CHAT;
    }
  }

  /**
   * Ask the endpoint, without waiting for it; fails with {@link Failed}.
   *
   * <p>429 and 503 are tried again while the deadline allows, other statuses from 300 on are not. A connection that ends
   * without an answer is replaced once: the gateway closes idle ones, and may do so just when one is used again.
   */
  static CompletableFuture<JsonNode> invoke(String endpoint, String body, int deadlineSeconds) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(deadlineSeconds);
    return attempt(endpoint, body, end, 1)
        .exceptionally(
            error -> {
              Throwable cause = error instanceof CompletionException ? error.getCause() : error;
              throw cause instanceof Failed failed
                  ? failed
                  : new Failed("endpoint " + endpoint + " is unreachable: " + cause);
            });
  }

  private static CompletableFuture<JsonNode> attempt(String endpoint, String body, long end, int attempt) {
    return send(endpoint, body, end)
        .exceptionallyCompose(
            error -> ended(error) ? send(endpoint, body, end) : CompletableFuture.failedFuture(error))
        .thenCompose(
            answer -> {
              if (answer.statusCode() < 300) {
                return CompletableFuture.completedFuture(read(endpoint, answer.body()));
              }
              long pause = pause(answer, attempt);
              boolean again = answer.statusCode() == 429 || answer.statusCode() == 503;
              if (!again || System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(pause) > end) {
                throw new Failed("endpoint " + endpoint + " answered " + answer.statusCode() + ": " + answer.body());
              }
              Executor later = CompletableFuture.delayedExecutor(pause, TimeUnit.MILLISECONDS, THREADS);
              return CompletableFuture.runAsync(() -> {}, later)
                  .thenCompose(done -> attempt(endpoint, body, end, attempt + 1));
            });
  }

  private static CompletableFuture<HttpResponse<String>> send(String endpoint, String body, long end) {
    Duration left = Duration.ofNanos(Math.max(1_000_000L, end - System.nanoTime()));
    try {
      HttpRequest request =
          to("/serving-endpoints/" + encoded(endpoint) + "/invocations")
              .header("Content-Type", "application/json")
              .timeout(left)
              .POST(HttpRequest.BodyPublishers.ofString(body))
              .build();
      return CLIENT.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    } catch (IOException error) {
      return CompletableFuture.failedFuture(error);
    }
  }

  private static boolean ended(Throwable error) {
    Throwable cause = error instanceof CompletionException ? error.getCause() : error;
    return cause instanceof IOException && !(cause instanceof HttpTimeoutException || cause instanceof ConnectException);
  }

  private static JsonNode read(String endpoint, String body) {
    try {
      return JSON.readTree(body);
    } catch (IOException error) {
      throw new Failed("endpoint " + endpoint + " answered with something that is not JSON");
    }
  }

  /**
   * Milliseconds to wait: what the gateway asks for, else doubling from half a second; then up to a quarter more by
   * chance, because a task's calls are often refused together.
   */
  private static long pause(HttpResponse<String> answer, int attempt) {
    long asked = answer.headers().firstValue("retry-after").map(Gateway::seconds).orElse(0L) * 1000;
    long pause = Math.max(asked, 500L << Math.min(attempt - 1, DOUBLINGS));
    return pause + ThreadLocalRandom.current().nextLong(250 + pause / 4);
  }

  private static long seconds(String value) {
    try {
      return Math.max(0L, Math.min(3600L, Long.parseLong(value.trim())));
    } catch (NumberFormatException error) {
      return 0; // a date: our own pause will do
    }
  }

  private static HttpRequest.Builder to(String path) throws IOException {
    String url = System.getenv("HEADGATE_URL");
    if (url == null || url.isBlank()) {
      throw new Failed("HEADGATE_URL is not set");
    }
    URI uri = URI.create(url.strip().replaceAll("/+$", "") + path);
    return HttpRequest.newBuilder(uri).version(HttpClient.Version.HTTP_1_1).header("Authorization", "Bearer " + token());
  }

  /** Read at every call, so that a token can be replaced while the session runs. */
  private static String token() throws IOException {
    String token = System.getenv("HEADGATE_TOKEN");
    String file = System.getenv("HEADGATE_TOKEN_FILE");
    if ((token == null || token.isBlank()) && file != null && !file.isBlank()) {
      token = Files.readString(java.nio.file.Path.of(file));
    }
    if (token == null || token.isBlank()) {
      throw new Failed("neither HEADGATE_TOKEN nor HEADGATE_TOKEN_FILE is set");
    }
    return token.strip();
  }

  private static String encoded(String name) {
    return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
  }
}
