package headgate;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.UUID;
import java.util.WeakHashMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;

/**
 * The {@code client_request_id} of a call: the same when the same query makes the same call again.
 *
 * <p>So a call that a task tried again, or another process, has repeated is seen as such in the payload table.
 */
final class CallId {
  static final String FIELD = "client_request_id";
  private static final int CHARACTERS = 32;
  private static final String PROCESS = UUID.randomUUID().toString();
  private static final Map<TaskContext, Map<String, Integer>> TIMES = Collections.synchronizedMap(new WeakHashMap<>());

  private CallId() {}

  /**
   * @param question the {@link #digest} of endpoint and body
   * @param shared the query asks it once; else each row does, and its place is the task's partition and its number among
   *     the equal ones there, which a task tried again comes to again
   */
  static String of(TaskContext task, String question, boolean shared) {
    String place = task == null || shared ? "" : place(task) + ' ' + time(task, question);
    return "ai_query-" + digest(query(task) + '\n' + place + '\n' + question).substring(0, CHARACTERS);
  }

  /** SHA-256 in hex. */
  static String digest(String text) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(hash);
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error); // every Java has it
    }
  }

  private static String query(TaskContext task) {
    if (task == null) {
      return PROCESS;
    }
    String number = task.getLocalProperty(Answers.QUERY);
    String application = SparkEnv.get().conf().get("spark.app.id", PROCESS);
    return application + ' ' + (number == null ? "stage " + task.stageId() : number);
  }

  private static String place(TaskContext task) {
    return task.stageId() + " " + task.partitionId();
  }

  private static int time(TaskContext task, String question) {
    return TIMES.computeIfAbsent(task, key -> new HashMap<>()).merge(question, 1, Integer::sum);
  }
}
