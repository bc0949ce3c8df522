package headgate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.ConditionalExpression;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.HigherOrderFunction;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.TryEval;
import org.apache.spark.sql.catalyst.expressions.objects.StaticInvoke;
import org.apache.spark.sql.types.Metadata;
import scala.collection.immutable.Nil$;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Takes the calls out of expressions, each replaced by the column its answer will be in.
 *
 * <p>Only calls every row makes are taken: what a condition guards, or a lambda repeats, stays where it is. A call whose
 * request holds another's answer is in a later round.
 */
final class Calls {
  /** One call and the column of its answer. */
  record Taken(StaticInvoke invoke, Attribute answer) {
    Call call() {
      return (Call) ((Literal) argument(0)).value();
    }

    Expression request() {
      return argument(1);
    }

    Expression parameters() {
      return argument(2);
    }

    private Expression argument(int index) {
      return CollectionConverters.asJava(invoke.arguments()).get(index);
    }
  }

  private final List<List<Taken>> rounds = new ArrayList<>();
  private final Map<ExprId, Integer> roundOf = new HashMap<>();

  static boolean in(Expression expression) {
    return expression.exists(Calls::is);
  }

  static boolean in(Iterable<? extends Expression> expressions) {
    for (Expression expression : expressions) {
      if (in(expression)) {
        return true;
      }
    }
    return false;
  }

  List<List<Taken>> rounds() {
    return rounds;
  }

  /** {@code expression} with the answers' columns in place of the calls taken. */
  Expression take(Expression expression) {
    if (!in(expression) || expression instanceof HigherOrderFunction || expression instanceof TryEval) {
      return expression;
    }
    List<Expression> always = always(expression);
    List<Expression> children = new ArrayList<>();
    for (Expression child : CollectionConverters.asJava(expression.children())) {
      children.add(always.stream().anyMatch(one -> one == child) ? take(child) : child);
    }
    Expression taken = expression.withNewChildren(CollectionConverters.asScala((Iterable<Expression>) children).toSeq());
    return is(taken) && !in(children) ? answered((StaticInvoke) taken) : taken;
  }

  private Attribute answered(StaticInvoke invoke) {
    int round = 0;
    for (Attribute used : CollectionConverters.asJava(invoke.references().toSeq())) {
      round = Math.max(round, roundOf.getOrDefault(used.exprId(), -1) + 1);
    }
    Attribute answer =
        new AttributeReference(
            "answer", invoke.dataType(), true, Metadata.empty(), NamedExpression.newExprId(), nil());
    if (round == rounds.size()) {
      rounds.add(new ArrayList<>());
    }
    rounds.get(round).add(new Taken(invoke, answer));
    roundOf.put(answer.exprId(), round);
    return answer;
  }

  private static boolean is(Expression expression) {
    return expression instanceof StaticInvoke invoke && invoke.staticObject() == AiQuery.class;
  }

  private static List<Expression> always(Expression expression) {
    if (expression instanceof ConditionalExpression conditional) {
      return CollectionConverters.asJava(conditional.alwaysEvaluatedInputs());
    }
    List<Expression> children = CollectionConverters.asJava(expression.children());
    return expression instanceof And || expression instanceof Or ? children.subList(0, 1) : children;
  }

  @SuppressWarnings("unchecked")
  private static <T> Seq<T> nil() {
    return (Seq<T>) Nil$.MODULE$;
  }
}
