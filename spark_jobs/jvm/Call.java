package headgate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serializable;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * What all rows of one {@code ai_query} in a query have in common. Public, because generated code holds it.
 *
 * @param task as the gateway names it, {@code llm/v1/chat} and its kin; says where a text goes in the body
 * @param wholeBody the request is the body as a JSON object, not a text
 * @param format the body's response_format as JSON, or null
 * @param shape what a row gives
 * @param failing an error ends the query instead of becoming the row's errorMessage
 * @param shared equal calls of a query are made once
 * @param inFlight calls a task has open at most
 * @param deadlineSeconds for one call with all its tries and waits
 */
public record Call(
    String endpoint,
    String task,
    boolean wholeBody,
    String format,
    Shape shape,
    boolean failing,
    boolean shared,
    int inFlight,
    int deadlineSeconds)
    implements Serializable {

  /** TEXT: the answer. The others: a JSON object {@code {"result", "errorMessage"}}, its result quoted or taken as JSON. */
  public enum Shape {
    TEXT,
    QUOTED,
    PARSED
  }

  /** The body for one row; {@link Gateway.Failed} when a part of it is no JSON object. */
  ObjectNode body(UTF8String request, UTF8String parameters, byte[] file) {
    ObjectNode body = wholeBody ? object(request.toString(), "request") : asked(request.toString(), file);
    if (parameters != null) {
      body.setAll(object(parameters.toString(), "modelParameters"));
    }
    if (format != null) {
      body.set("response_format", object(format, "responseFormat"));
    }
    return body;
  }

  private ObjectNode asked(String request, byte[] file) {
    ObjectNode body = Gateway.JSON.createObjectNode();
    switch (task) {
      case "llm/v1/completions" -> body.put("prompt", request);
      case "llm/v1/embeddings" -> body.put("input", request);
      default -> content(body.putArray("messages").addObject().put("role", "user"), request, file);
    }
    return body;
  }

  private static void content(ObjectNode message, String request, byte[] file) {
    if (file == null) {
      message.put("content", request);
      return;
    }
    ArrayNode parts = message.putArray("content");
    parts.addObject().put("type", "text").put("text", request);
    Image.into(parts, file);
  }

  private static ObjectNode object(String json, String what) {
    try {
      if (Gateway.JSON.readTree(json) instanceof ObjectNode object) {
        return object;
      }
    } catch (JsonProcessingException error) {
      // said below, without the text
    }
    throw new Gateway.Failed(what + " is not a JSON object");
  }
}
