package headgate;

import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.AbstractIterator;
import scala.collection.Iterator;
import scala.runtime.AbstractFunction1;

/** A task's rows: the calls of some are open while the first of them is waited for. Rows keep their order. */
final class Window extends AbstractIterator<Object> {
  static final int ARGUMENTS = 3; // of a call: request, parameters, file
  private static final long BYTES = 32L << 20; // images are held three times over while their call is open

  /** What is asked of each row: one call, or one for each element of the arrays its arguments then are. */
  record Question(Call call, boolean each) implements Serializable {}

  /**
   * What opens a window over a partition.
   *
   * <p>A row holds {@code passed} columns, then request, parameters and file for each of {@code questions}.
   */
  static final class Opening extends AbstractFunction1<Iterator<Object>, Iterator<Object>> implements Serializable {
    private static final long serialVersionUID = 1L;
    private final ArrayList<Question> questions;
    private final int passed;

    Opening(List<Question> questions, int passed) {
      this.questions = new ArrayList<>(questions);
      this.passed = passed;
    }

    @Override
    public Iterator<Object> apply(Iterator<Object> rows) {
      return new Window(this, rows);
    }
  }

  /** A call that waits to be made, then for its answer. */
  private static final class Asked {
    private final Call call;
    private final UTF8String request;
    private final UTF8String parameters;
    private final byte[] file;
    private CompletableFuture<UTF8String> answer;

    Asked(Call call, UTF8String request, UTF8String parameters, byte[] file) {
      this.call = call;
      this.request = request;
      this.parameters = parameters;
      this.file = file;
    }
  }

  /** A row; for each question its calls, or null where the array is. */
  private record Open(InternalRow row, List<List<Asked>> asked) {
    long bytes() {
      return row instanceof UnsafeRow unsafe ? unsafe.getSizeInBytes() : 0;
    }
  }

  private final Opening opening;
  private final Iterator<Object> rows;
  private final TaskContext task = TaskContext.get();
  private final Queue<Open> open = new ArrayDeque<>();
  private final Queue<Asked> waiting = new ArrayDeque<>();
  private final int most;
  private long bytes;
  private int calls;

  private Window(Opening opening, Iterator<Object> rows) {
    this.opening = opening;
    this.rows = rows;
    this.most = opening.questions.stream().mapToInt(question -> question.call().inFlight()).min().orElse(1);
  }

  @Override
  public boolean hasNext() {
    return !open.isEmpty() || rows.hasNext();
  }

  @Override
  public Object next() {
    fill();
    Open first = open.remove();
    Object[] said = new Object[first.asked().size()];
    for (int i = 0; i < said.length; i++) {
      List<Asked> asked = first.asked().get(i);
      if (asked != null) {
        Object[] answers = asked.stream().map(this::answer).toArray();
        said[i] = opening.questions.get(i).each() ? new GenericArrayData(answers) : answers[0];
      }
    }
    bytes -= first.bytes();
    return new JoinedRow(first.row(), new GenericInternalRow(said));
  }

  /** Make calls in the rows' order, reading more rows when theirs are all made, as far as the limits allow. */
  private void fill() {
    while (calls < most) {
      Asked next = waiting.poll();
      if (next != null) {
        next.answer = AiQuery.ask(next.call, next.request, next.parameters, next.file, task);
        calls++;
      } else if ((open.isEmpty() || open.size() < most && bytes < BYTES) && rows.hasNext()) {
        read(((InternalRow) rows.next()).copy()); // the next row overwrites this one
      } else {
        return;
      }
    }
  }

  /** Waits, then makes the call that may take its place. */
  private UTF8String answer(Asked asked) {
    fill(); // when this very call is still waiting, nothing is open before it
    UTF8String said = AiQuery.await(asked.answer, task);
    calls--;
    return said;
  }

  private void read(InternalRow row) {
    List<List<Asked>> asked = new ArrayList<>();
    for (int i = 0; i < opening.questions.size(); i++) {
      Question question = opening.questions.get(i);
      int at = opening.passed + ARGUMENTS * i;
      if (!question.each()) {
        asked.add(List.of(new Asked(question.call(), text(row, at), text(row, at + 1), file(row, at + 2))));
      } else {
        asked.add(row.isNullAt(at) ? null : elements(question.call(), row, at));
      }
    }
    Open read = new Open(row, asked);
    open.add(read);
    bytes += read.bytes();
    asked.forEach(calls -> waiting.addAll(calls == null ? List.of() : calls));
  }

  private static List<Asked> elements(Call call, InternalRow row, int at) {
    ArrayData requests = row.getArray(at);
    ArrayData parameters = row.getArray(at + 1);
    ArrayData files = row.getArray(at + 2);
    List<Asked> asked = new ArrayList<>();
    for (int i = 0; i < requests.numElements(); i++) {
      asked.add(new Asked(call, text(requests, i), text(parameters, i), file(files, i)));
    }
    return asked;
  }

  private static UTF8String text(SpecializedGetters row, int at) {
    return row.isNullAt(at) ? null : row.getUTF8String(at);
  }

  private static byte[] file(SpecializedGetters row, int at) {
    return row.isNullAt(at) ? null : row.getBinary(at);
  }
}
