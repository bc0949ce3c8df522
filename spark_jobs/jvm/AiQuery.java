package headgate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.TaskContext;
import org.apache.spark.unsafe.types.UTF8String;

/** What a row of {@code ai_query} does: request to body, one call, answer to what the query reads. */
public final class AiQuery {
  private static final long LOOK_UP_MS = 500;

  private AiQuery() {}

  /**
   * Ask and wait; the generated code calls this where {@link LookAhead} cannot ask ahead.
   *
   * @param request null gives null
   * @param parameters JSON object merged into the body, or null
   * @param file an image, or null
   */
  public static UTF8String answer(Call call, UTF8String request, UTF8String parameters, byte[] file) {
    TaskContext task = TaskContext.get();
    return await(ask(call, request, parameters, file, task), task);
  }

  /** Start the call of one row; fails with {@link Gateway.Failed} only when {@code call.failing()}. */
  static CompletableFuture<UTF8String> ask(
      Call call, UTF8String request, UTF8String parameters, byte[] file, TaskContext task) {
    if (request == null) {
      return CompletableFuture.completedFuture(null);
    }
    CompletableFuture<String> text;
    try {
      ObjectNode asked = call.body(request, parameters, file);
      String question = CallId.digest(call.endpoint() + '\n' + asked);
      if (!asked.hasNonNull(CallId.FIELD)) {
        asked.put(CallId.FIELD, CallId.of(task, question, call.shared()));
      }
      String body = asked.toString();
      text =
          call.shared()
              ? Answers.of(task).once(question, !call.failing(), () -> text(call, body))
              : text(call, body);
    } catch (Gateway.Failed failed) {
      text = CompletableFuture.failedFuture(failed);
    }
    return text.handle((said, error) -> UTF8String.fromString(shaped(call, said, error)));
  }

  /** The answer when it is there; a cancelled task stops waiting within half a second. */
  static UTF8String await(CompletableFuture<UTF8String> answer, TaskContext task) {
    while (true) {
      try {
        return answer.get(LOOK_UP_MS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException error) {
        if (task != null) {
          task.killTaskIfInterrupted();
        }
      } catch (ExecutionException error) {
        throw thrown(error.getCause());
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
        throw new Gateway.Failed("interrupted while waiting for an answer");
      }
    }
  }

  private static CompletableFuture<String> text(Call call, String body) {
    return Gateway.invoke(call.endpoint(), body, call.deadlineSeconds()).thenApply(AiQuery::held);
  }

  private static String shaped(Call call, String said, Throwable error) {
    if (error != null && (call.failing() || !(cause(error) instanceof Gateway.Failed))) {
      throw thrown(error);
    }
    if (call.shape() == Call.Shape.TEXT) {
      return said;
    }
    ObjectNode envelope = Gateway.JSON.createObjectNode();
    envelope.set("result", said == null ? null : result(said, call.shape() == Call.Shape.QUOTED));
    envelope.put("errorMessage", cause(error) instanceof Gateway.Failed failed ? failed.why() : null);
    return envelope.toString();
  }

  private static JsonNode result(String text, boolean quoted) {
    JsonNode verbatim = Gateway.JSON.getNodeFactory().textNode(text);
    if (quoted) {
      return verbatim;
    }
    try {
      JsonNode parsed = Gateway.JSON.readTree(text);
      return parsed.isMissingNode() ? verbatim : parsed;
    } catch (JsonProcessingException error) {
      return verbatim;
    }
  }

  private static Throwable cause(Throwable error) {
    return error instanceof CompletionException ? error.getCause() : error;
  }

  /** A fresh exception for each row, because one future may serve many threads. */
  private static RuntimeException thrown(Throwable error) {
    Throwable cause = cause(error);
    return cause instanceof Gateway.Failed failed ? new Gateway.Failed(failed.why()) : new CompletionException(cause);
  }

  /** The part of an answer people want, told by what is there: chat, completions, embeddings. Null: nothing was said. */
  private static String held(JsonNode answer) {
    JsonNode choice = answer.path("choices").path(0);
    JsonNode[] places = {choice.at("/message/content"), choice.path("text"), answer.at("/data/0/embedding")};
    for (JsonNode found : places) {
      if (!found.isMissingNode()) {
        return found.isNull() ? null : found.isTextual() ? found.textValue() : found.toString();
      }
    }
    throw new Gateway.Failed("the answer holds no message, text or embedding");
  }
}
