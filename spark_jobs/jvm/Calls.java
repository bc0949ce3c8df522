package headgate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.CaseWhen;
import org.apache.spark.sql.catalyst.expressions.ConditionalExpression;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.HigherOrderFunction;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.Not;
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
 * <p>A call behind a condition is taken with that condition as its guard. A call a lambda repeats, or COALESCE may not
 * reach, stays where it is. A call whose request or guard holds another's answer is in a later round.
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
    return take(expression, null);
  }

  /** @param guard what must be true of a row for the call to be made; null: nothing */
  private Expression take(Expression expression, Expression guard) {
    if (!in(expression) || expression instanceof HigherOrderFunction || expression instanceof TryEval) {
      return expression;
    }
    if (expression instanceof If || expression instanceof CaseWhen) {
      return branched(expression, guard);
    }
    if (expression instanceof And || expression instanceof Or) {
      return decided(expression, guard);
    }
    List<Expression> always = always(expression);
    List<Expression> children = new ArrayList<>();
    for (Expression child : children(expression)) {
      children.add(always.stream().anyMatch(one -> one == child) ? take(child, guard) : child);
    }
    Expression taken = with(expression, children);
    return is(taken) && !in(children) ? answered((StaticInvoke) taken, guard) : taken;
  }

  /** Children: condition, value, condition, value, ..., perhaps the value of ELSE. */
  private Expression branched(Expression expression, Expression guard) {
    List<Expression> given = children(expression);
    List<Expression> children = new ArrayList<>();
    Expression reached = guard;
    for (int i = 0; i + 1 < given.size(); i += 2) {
      Expression condition = take(given.get(i), reached);
      children.add(condition);
      if (!condition.deterministic()) { // it would be another one when looked at twice
        children.addAll(given.subList(i + 1, given.size()));
        return with(expression, children);
      }
      Expression holds = new EqualNullSafe(condition, Literal.TrueLiteral());
      children.add(take(given.get(i + 1), both(reached, holds)));
      reached = both(reached, new Not(holds));
    }
    if (given.size() % 2 == 1) {
      children.add(take(given.get(given.size() - 1), reached));
    }
    return with(expression, children);
  }

  /** AND and OR: the right side counts only when the left one leaves it open. */
  private Expression decided(Expression expression, Expression guard) {
    List<Expression> given = children(expression);
    Expression left = take(given.get(0), guard);
    if (!left.deterministic()) {
      return with(expression, List.of(left, given.get(1)));
    }
    Literal decisive = expression instanceof Or ? Literal.TrueLiteral() : Literal.FalseLiteral();
    Expression open = new Not(new EqualNullSafe(left, decisive));
    return with(expression, List.of(left, take(given.get(1), both(guard, open))));
  }

  private Attribute answered(StaticInvoke written, Expression guard) {
    StaticInvoke invoke = guard == null ? written : guarded(written, guard);
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

  /** With a request that is null, so that nothing is asked, where the guard is not true. */
  private static StaticInvoke guarded(StaticInvoke invoke, Expression guard) {
    List<Expression> arguments = new ArrayList<>(children(invoke));
    Expression request = arguments.get(1);
    arguments.set(1, new If(guard, request, Literal.create(null, request.dataType())));
    return (StaticInvoke) with(invoke, arguments);
  }

  private static Expression both(Expression guard, Expression more) {
    return guard == null ? more : new And(guard, more);
  }

  private static List<Expression> children(Expression expression) {
    return CollectionConverters.asJava(expression.children());
  }

  private static Expression with(Expression expression, List<Expression> children) {
    return expression.withNewChildren(CollectionConverters.asScala((Iterable<Expression>) children).toSeq());
  }

  private static boolean is(Expression expression) {
    return expression instanceof StaticInvoke invoke && invoke.staticObject() == AiQuery.class;
  }

  private static List<Expression> always(Expression expression) {
    return expression instanceof ConditionalExpression conditional
        ? CollectionConverters.asJava(conditional.alwaysEvaluatedInputs())
        : children(expression);
  }

  @SuppressWarnings("unchecked")
  private static <T> Seq<T> nil() {
    return (Seq<T>) Nil$.MODULE$;
  }
}
