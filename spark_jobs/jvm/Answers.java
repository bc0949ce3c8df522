package headgate;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.apache.spark.TaskContext;

/**
 * The answers one query has got in this process, so that equal calls are made once.
 *
 * <p>Bounded: of the answers that are there, the ones not asked for longest go first. A call that went is made again.
 */
final class Answers {
  static final String QUERY = "spark.sql.execution.id"; // a task's property
  private static final int QUERIES = 4;
  private static final long CHARACTERS = 32L << 20;
  private static final int ENTRIES = 200_000;
  private static final Map<String, Answers> BY_QUERY =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Answers> eldest) {
          return size() > QUERIES;
        }
      };

  private final LinkedHashMap<String, CompletableFuture<String>> calls = new LinkedHashMap<>(16, 0.75f, true);
  private long characters;

  private Answers() {}

  /** Those of the query the task belongs to; fresh ones outside of any. */
  static Answers of(TaskContext task) {
    String query = task == null ? null : task.getLocalProperty(QUERY);
    if (query == null) {
      return new Answers();
    }
    synchronized (BY_QUERY) {
      return BY_QUERY.computeIfAbsent(query, key -> new Answers());
    }
  }

  /**
   * The answer to a question: under way or here already, else asked for now.
   *
   * @param key the question's {@link CallId#digest}
   * @param forgiving a failure is remembered too; else a task tried again asks again
   */
  CompletableFuture<String> once(String key, boolean forgiving, Supplier<CompletableFuture<String>> ask) {
    synchronized (this) {
      CompletableFuture<String> known = calls.get(key);
      if (known != null) {
        return known;
      }
      CompletableFuture<String> asked = ask.get();
      calls.put(key, asked);
      asked.whenComplete((text, error) -> arrived(key, text, error == null || forgiving));
      return asked;
    }
  }

  private synchronized void arrived(String key, String text, boolean kept) {
    if (!kept) {
      calls.remove(key);
      return;
    }
    characters += length(text);
    Iterator<CompletableFuture<String>> eldest = calls.values().iterator();
    while ((characters > CHARACTERS || calls.size() > ENTRIES) && eldest.hasNext()) {
      CompletableFuture<String> call = eldest.next();
      if (call.isDone()) {
        characters -= call.isCompletedExceptionally() ? 0 : length(call.join());
        eldest.remove();
      }
    }
  }

  private static int length(String text) {
    return text == null ? 0 : text.length();
  }
}
